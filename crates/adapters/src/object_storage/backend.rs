//! The store behind an address, and what it may be told.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3CopyIfNotExists};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, Error as StoreError, ObjectStore, RetryConfig,
};
use partner_core::ports::object_store::is_valid_name;
use secrecy::ExposeSecret as _;

use super::client::Connector;
use super::errors::Secrets;
use super::folder::Folder;
use super::{ObjectStorageConfig, ObjectStorageConfigError};

/// What browsers and spreadsheets are told about a file that they fetch by a link.
const CONTENT_TYPES: [(&str, &str); 5] = [
    ("csv", "text/csv; charset=utf-8"),
    ("gz", "application/gzip"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
];

/// A store, and how its files are named.
pub(super) struct Backend {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Makes links, where the store has any.
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// The store's own address, with a slash at its end: what every reference begins with.
    pub(super) address: String,
    /// Below which path of the bucket everything is.
    pub(super) prefix: Path,
    /// The folder, if it is one of this machine.
    pub(super) folder: Option<Folder>,
    /// How much is moved in one call, and so held in memory, in bytes.
    pub(super) piece: usize,
    /// What no text may repeat.
    pub(super) secrets: Secrets,
}

/// Files of up to this size are written in one call; S3 takes parts of 5 MiB or more.
const PIECE: usize = 8 << 20;
const _: () = assert!(PIECE >= 5 << 20);

impl Backend {
    /// A path of the store, as a path of the bucket.
    pub(super) fn below_prefix(&self, path: &Path) -> Path {
        self.prefix.parts().chain(path.parts()).collect()
    }
}

// The builders' `Debug` texts have the credentials.
impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A folder of this machine.
pub(super) fn folder(config: &ObjectStorageConfig) -> Result<Backend, ObjectStorageConfigError> {
    if let Some(key) = config.options.keys().next() {
        return Err(ObjectStorageConfigError::Option {
            key: key.clone(),
            reason: "a folder has no options",
        });
    }
    let url = &config.url;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    let path = url
        .to_file_path()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| ObjectStorageConfigError::NoFolder(url.to_string()))?;
    let folder = Folder::open(path)?;
    let files = LocalFileSystem::new_with_prefix(folder.path())
        .map_err(|error| ObjectStorageConfigError::Store(error.to_string()))?
        // What is reported as stored is relied upon: the rows of a backup are deleted next.
        .with_fsync(true);
    Ok(Backend {
        store: Arc::new(files),
        signer: None,
        address: format!("{}/", url.as_str().trim_end_matches('/')),
        prefix: Path::default(),
        folder: Some(folder),
        piece: PIECE,
        secrets: Secrets::default(),
    })
}

/// A bucket of S3, or of what speaks like it.
pub(super) fn s3(config: &ObjectStorageConfig) -> Result<Backend, ObjectStorageConfigError> {
    use AmazonS3ConfigKey as Key;
    let address = Bucket::of(config, "s3")?;
    let secrets = Secrets::of(&config.options);
    let is_ours = |key: &Key| match key {
        Key::Bucket | Key::ConditionalPut => true,
        Key::Client(key) => is_ours(*key),
        _ => false,
    };
    let builder = AmazonS3Builder::new()
        .with_client_options(client_options())
        .with_retry(no_retries())
        .with_http_connector(Connector::new(config))
        // The one way to create a large file conditionally that S3 itself has.
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        // Deletes files by the call that every store has, and not in bulk.
        .with_config(Key::DisableBulkDelete, "true");
    let store = options(config, is_ours)?
        .fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        })
        .with_bucket_name(&address.name)
        .build()
        .map_err(|error| cannot_open(&error, &secrets))?;
    Ok(address.backend(Arc::new(store), secrets))
}

/// A bucket of Google Cloud Storage.
pub(super) fn gcs(config: &ObjectStorageConfig) -> Result<Backend, ObjectStorageConfigError> {
    use GoogleConfigKey as Key;
    let address = Bucket::of(config, "gs")?;
    let secrets = Secrets::of(&config.options);
    let is_ours = |key: &Key| match key {
        Key::Bucket => true,
        Key::Client(key) => is_ours(*key),
        _ => false,
    };
    let builder = GoogleCloudStorageBuilder::new()
        .with_client_options(client_options())
        .with_retry(no_retries())
        .with_http_connector(Connector::new(config));
    let store = options(config, is_ours)?
        .fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        })
        .with_bucket_name(&address.name)
        .build()
        .map_err(|error| cannot_open(&error, &secrets))?;
    Ok(address.backend(Arc::new(store), secrets))
}

/// A container of Azure Blob Storage.
pub(super) fn azure(config: &ObjectStorageConfig) -> Result<Backend, ObjectStorageConfigError> {
    use AzureConfigKey as Key;
    let address = Bucket::of(config, "az")?;
    let secrets = Secrets::of(&config.options);
    let is_ours = |key: &Key| match key {
        Key::ContainerName => true,
        Key::Client(key) => is_ours(*key),
        _ => false,
    };
    let builder = MicrosoftAzureBuilder::new()
        .with_client_options(client_options())
        .with_retry(no_retries())
        .with_http_connector(Connector::new(config));
    let store = options(config, is_ours)?
        .fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        })
        .with_container_name(&address.name)
        .build()
        .map_err(|error| cannot_open(&error, &secrets))?;
    Ok(address.backend(Arc::new(store), secrets))
}

/// An address of a bucket, taken apart.
struct Bucket {
    name: String,
    prefix: Path,
    address: String,
}

impl Bucket {
    fn of(
        config: &ObjectStorageConfig,
        scheme: &'static str,
    ) -> Result<Self, ObjectStorageConfigError> {
        let url = &config.url;
        let host = url.host_str().unwrap_or_default();
        let prefix = url.path().trim_matches('/');
        let plain = if prefix.is_empty() {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}/{prefix}")
        };
        // Whatever the address has besides would be lost without a word, or be a secret.
        let is_plain = url.as_str().trim_end_matches('/') == plain
            && !host.is_empty()
            && (prefix.is_empty() || is_valid_name(prefix));
        if !is_plain {
            return Err(ObjectStorageConfigError::NoBucket(plain, scheme));
        }
        Ok(Self {
            name: host.to_owned(),
            prefix: Path::from(prefix),
            address: format!("{plain}/"),
        })
    }

    fn backend<S: ObjectStore + Signer>(self, store: Arc<S>, secrets: Secrets) -> Backend {
        Backend {
            store: Arc::clone(&store) as Arc<dyn ObjectStore>,
            signer: Some(store),
            address: self.address,
            prefix: self.prefix,
            folder: None,
            piece: PIECE,
            secrets,
        }
    }
}

/// The options as the store has them, or the first that it has not.
fn options<K: FromStr<Err = StoreError>>(
    config: &ObjectStorageConfig,
    is_ours: impl Fn(&K) -> bool,
) -> Result<impl Iterator<Item = (K, String)>, ObjectStorageConfigError> {
    let refused = |key: &String, reason| ObjectStorageConfigError::Option {
        key: key.clone(),
        reason,
    };
    let options: Result<Vec<_>, _> = config
        .options
        .iter()
        .map(|(name, value)| {
            let key = K::from_str(name).map_err(|_| refused(name, "the store has no such option"))?;
            if is_ours(&key) {
                return Err(refused(
                    name,
                    "is set by storage.url, storage.timeout and storage.connect_timeout, or not at all",
                ));
            }
            Ok((key, value.expose_secret().to_owned()))
        })
        .collect();
    Ok(options?.into_iter())
}

/// Our HTTP client is made from the workspace's own settings; these would be ignored.
fn is_ours(key: ClientConfigKey) -> bool {
    key != ClientConfigKey::AllowHttp
}

fn client_options() -> ClientOptions {
    CONTENT_TYPES
        .iter()
        .fold(ClientOptions::new(), |options, (extension, mime)| {
            options.with_content_type_for_suffix(*extension, *mime)
        })
}

/// Temporal repeats calls, where it shows; a hidden second try would only blur the record.
fn no_retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    }
}

fn cannot_open(error: &StoreError, secrets: &Secrets) -> ObjectStorageConfigError {
    ObjectStorageConfigError::Store(secrets.text_of(error))
}

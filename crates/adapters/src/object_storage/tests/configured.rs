//! What the configuration allows.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::super::conformance::config;
use super::super::*;

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).into()))
        .collect()
}

fn refusal(url: &str, pairs: &[(&str, &str)]) -> String {
    let error = ObjectStorage::open(&config(url, options(pairs))).unwrap_err();
    partner_core::error::chain(&error)
}

#[test]
fn a_store_that_cannot_be_opened_says_what_can() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = Url::from_file_path(file).unwrap();
    let missing = Url::from_directory_path(home.path().join("missing")).unwrap();
    for (url, expected) in [
        (
            "ftp://bucket/x",
            "ftp:// is not supported, use file, s3, gs or az",
        ),
        ("file://host/x", "no folder's address"),
        ("file:///tmp?x=1", "no folder's address"),
        (file.as_str(), "cannot be used, create it"),
        (missing.as_str(), "cannot be used, create it"),
        ("s3:///prefix", "no bucket's address"),
        ("s3://bucket:80/a", "no bucket's address"),
        ("s3://bucket/a?b", "no bucket's address"),
        ("gs://user:hunter2@bucket/a", "no bucket's address"),
        ("az://container", "Account must be specified"),
    ] {
        let error = refusal(url, &[]);
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn each_store_opens_with_its_own_options() {
    let key = "aHVudGVyMg==";
    for (url, pairs) in [
        (
            "s3://bucket",
            vec![
                ("region", "eu-central-1"),
                ("access_key_id", "a"),
                ("secret_access_key", "b"),
            ],
        ),
        ("gs://bucket/a/b", vec![("skip_signature", "true")]),
        (
            "az://container/a",
            vec![("account_name", "ours"), ("account_key", key)],
        ),
    ] {
        let store = ObjectStorage::open(&config(url, options(&pairs))).unwrap();
        assert_eq!(store.reference("x").unwrap(), format!("{url}/x"));
    }
}

#[test]
fn an_option_that_the_store_has_not_or_that_is_set_elsewhere_is_refused_by_name() {
    for (url, key, expected) in [
        ("s3://bucket", "secret_acess_key", "no such option"),
        ("s3://bucket", "account_key", "no such option"),
        ("gs://bucket", "region", "no such option"),
        ("s3://bucket", "bucket", "is set by storage.url"),
        ("s3://bucket", "timeout", "is set by storage.url"),
        ("s3://bucket", "conditional_put", "is set by storage.url"),
        ("gs://bucket", "allow_invalid_certificates", "or not at all"),
        ("az://container", "container_name", "is set by storage.url"),
        ("file:///tmp", "region", "a folder has no options"),
    ] {
        let error = refusal(url, &[(key, "hunter2hunter2")]);
        assert!(
            error.contains(expected) && error.contains(key),
            "{url}: {error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn options_that_do_not_go_together_are_refused_without_their_values() {
    let error = refusal("s3://bucket", &[("secret_access_key", "hunter2hunter2")]);
    assert!(error.contains("object storage cannot be opened"), "{error}");
    let broken = r#"{"private_key": 7, "note": "hunter2hunter2"}"#;
    let google = refusal("gs://bucket", &[("service_account_key", broken)]);
    let azure = refusal(
        "az://container",
        &[("account_name", "ours"), ("account_key", "hunter2hunter2!")],
    );
    for error in [error, google, azure] {
        assert!(!error.contains("hunter2"), "{error}");
    }
}

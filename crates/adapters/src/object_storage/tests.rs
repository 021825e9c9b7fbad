//! A folder that nothing leads out of, S3's answers of each kind, and what the configuration allows.

mod configured;
mod folder;
mod s3;

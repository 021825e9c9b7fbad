//! Types, ports and policy that every domain shares.

pub mod activity_options;
pub mod catalog;
pub mod client;
pub mod config;
pub mod contact;
pub mod contracts;
pub mod cost;
pub mod database;
pub mod error;
pub mod heartbeat;
pub mod ids;
pub mod money;
pub mod ports;
pub mod problem;
pub mod progress;
pub mod ready_file;
pub mod saga;
pub mod step;
pub mod sweep;
pub mod task_queue;
pub mod telemetry;
pub mod temporal;
mod text_enum;
pub mod wire;
pub mod workflow_id;

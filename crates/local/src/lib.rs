//! The embedded platform: everything that `partner dev`, `partner demo` and the tests need and find or
//! make without help, on loopback only.

pub mod cache;
pub mod error;
mod faults;
pub mod files;
pub mod fulfillment;
pub mod gateway;
pub mod inbox;
pub mod leash;
pub mod loopback;
pub mod platform;
pub mod ports;
pub mod postgres;
mod programs;
pub mod progress;
pub mod push;
pub mod service_process;
pub mod shop;
pub mod temporal;
pub mod time_skipping;
pub mod wheel;

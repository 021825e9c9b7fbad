//! Ports of the analytics domain: the systems that we do not own, one file each.

pub mod workflow_statistics;

//! The analytics domain's processes, one file each.

//! A new migration is part of `database::MIGRATOR`: build again when one appears.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}

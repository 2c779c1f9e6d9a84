//! Only so that cargo counts the build dependencies.

fn main() {}

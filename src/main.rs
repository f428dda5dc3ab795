//! The `newsfold` program: arguments in, exit code out.

fn main() {}

//! The `newsfold` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    newsfold::cli::main()
}

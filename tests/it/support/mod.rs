//! What the integration tests share.
#![allow(unreachable_pub, reason = "open to every test module; none of this leaves the binary")]

pub mod program;
pub mod server;

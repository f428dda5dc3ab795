//! What the integration tests share.
#![allow(unreachable_pub, reason = "what tests share is public to them, and nobody else sees it")]

pub mod program;
pub mod server;
pub mod tls;

//! What the integration tests share.

pub mod program;
pub mod server;

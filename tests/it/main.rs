//! The one integration binary: the program and its parts against real neighbours.

mod damage;
mod feeds;
mod golden;

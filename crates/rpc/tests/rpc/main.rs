//! The methods and the server, on a chain in a temporary directory.

mod accounts;
mod calls;
mod dev_methods;
mod fees;
mod kit;
mod logs;
mod reads;
mod simulations;
mod traces;
mod transport;

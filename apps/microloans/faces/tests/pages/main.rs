//! The pages, over a real service with its books, in one program: linking is what takes its time.

mod browser;
mod every;
mod journeys;
mod support;

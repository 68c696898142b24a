//! Lets validators agree on blocks, through commonware.

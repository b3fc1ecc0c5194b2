//! Tests of the whole: replications run as the program runs them.

mod byrdlab;

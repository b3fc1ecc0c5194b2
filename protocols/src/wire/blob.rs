//! The header in front of an encoded model.

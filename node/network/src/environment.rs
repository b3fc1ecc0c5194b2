//! What a network has beside its settings.

/// What a network has beside its settings.
#[derive(Debug, Clone, Default)]
pub struct NetworkEnvironment {
    /// Links that are bad on purpose.
    #[cfg(any(feature = "faults", test))]
    pub links: Option<super::links::Links>,
    /// Where it listened before. Where the settings leave the port open, the same port is tried first: others find a
    /// peer that comes back where they last saw it.
    pub before: Vec<String>,
}

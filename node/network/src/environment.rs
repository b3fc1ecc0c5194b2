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
    /// The task in bytes, for those who ask for it by its hash.
    pub document: Option<std::sync::Arc<Vec<u8>>>,
    /// Whether the task is told to those too who know only the address.
    pub open: bool,
    /// Who takes part; without one, everybody who has the task does.
    pub gate: Option<std::sync::Arc<dyn super::gate::Gate>>,
    /// What peers told of their columns; without one, nothing is told and nobody is asked.
    pub summaries: Option<std::sync::Arc<dyn super::SummaryBook>>,
}

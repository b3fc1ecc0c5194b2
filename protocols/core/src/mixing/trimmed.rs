//! Coordinate median and trimmed mean (Yin et al. 2018, "Byzantine-Robust Distributed Learning", definitions 1 and 2).

use super::{Column, MixContext, Mixing, Plan, Refused};

/// The median of own and candidates in every coordinate. With at least two candidates one Byzantine peer alone decides
/// nothing.
pub(super) struct Median;

impl Mixing for Median {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let got = context.candidates.len();
        // The median of two is their mean, which one Byzantine peer moves anywhere.
        let verdict = if got < 2 { Err(Refused::TooFew { got, need: 2 }) } else { Ok(()) };
        Plan::Columns(Column::Median, vec![verdict; got])
    }
}

/// Without the `b` largest and smallest candidates of every coordinate; the own model then has one share beside the
/// n - 2b that are left (as in Wu et al. 2023).
pub(super) struct TrimmedMean {
    pub b: usize,
}

impl Mixing for TrimmedMean {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let (got, need) = (context.candidates.len(), 2 * self.b + 1);
        let verdict = if got < need { Err(Refused::TooFew { got, need }) } else { Ok(()) };
        Plan::Columns(Column::Trimmed { b: self.b }, vec![verdict; got])
    }
}

//! The moving average of a peer's own models.

/// An exponential moving average of the models that a peer had after each of its mixes: what it answers with, while it
/// goes on training and offering the newest one.
///
/// A mix of a few models keeps a part of what each of them drifted; over the last rounds these parts cancel, at no cost
/// on the wire (averaging of iterates: Polyak and Juditsky 1992; as a moving average with a decay that grows with the
/// rounds, min(d, (1 + t) / (10 + t)), because early models are of the past soon).
#[derive(Debug, Clone, PartialEq)]
pub struct MovingAverage {
    decay: f32,
    values: Vec<f32>,
}

impl MovingAverage {
    /// Starts from a model. Shapes: `params: [parameters]`. `decay`, below 1, is the share that the average keeps in a
    /// round; 0 switches it off.
    pub fn new(decay: f32, params: &[f32]) -> Self {
        Self { decay, values: if decay > 0.0 { params.to_vec() } else { Vec::new() } }
    }

    /// The average, `[parameters]`; `None` when switched off.
    pub fn values(&self) -> Option<&[f32]> {
        (!self.values.is_empty()).then_some(&self.values[..])
    }

    /// Takes in the model after a mix, in the round of this number. Shapes: `params: [parameters]`.
    pub fn update(&mut self, params: &[f32], round: u64) {
        let round = round as f32;
        let keep = self.decay.min((1.0 + round) / (10.0 + round));
        for (value, new) in self.values.iter_mut().zip(params) {
            *value = keep * *value + (1.0 - keep) * new;
        }
    }

    /// Starts anew from a model: after one was taken over from others. Shapes: `params: [parameters]`.
    pub fn reset(&mut self, params: &[f32]) {
        if !self.values.is_empty() {
            self.values.copy_from_slice(params);
        }
    }

    /// Takes over saved values; ones of another length or not finite are ignored.
    pub fn restore(&mut self, values: &[f32]) {
        super::take_over(&mut self.values, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_around_a_model_cancels_and_early_models_are_forgotten() {
        let mut average = MovingAverage::new(0.7, &[100.0]);
        // The model is 1, and each mix is off by 0.5 to one side or the other.
        for round in 1..100u64 {
            average.update(&[if round % 2 == 0 { 1.5 } else { 0.5 }], round);
        }
        let left = (average.values().unwrap()[0] - 1.0).abs();
        assert!(left < 0.1, "{left}");
        average.reset(&[7.0]);
        assert_eq!(average.values(), Some(&[7.0][..]));
    }

    #[test]
    fn by_hand() {
        let mut average = MovingAverage::new(0.5, &[0.0, 4.0]);
        // (1 + 8) / (10 + 8) is the decay; before, the decay is smaller.
        average.update(&[2.0, 0.0], 8);
        assert_eq!(average.values(), Some(&[1.0, 2.0][..]));
        average.update(&[0.0, 0.0], 0);
        assert_eq!(average.values(), Some(&[0.1, 0.2][..]));
    }

    #[test]
    fn switched_off_it_holds_nothing() {
        let mut average = MovingAverage::new(0.0, &[1.0]);
        average.update(&[2.0], 3);
        average.reset(&[2.0]);
        average.restore(&[2.0]);
        assert_eq!(average.values(), None);
    }

    #[test]
    fn what_was_saved_wrong_is_ignored() {
        let mut average = MovingAverage::new(0.9, &[1.0, 2.0]);
        average.restore(&[1.0]);
        average.restore(&[f32::NAN, 1.0]);
        assert_eq!(average.values(), Some(&[1.0, 2.0][..]));
        average.restore(&[3.0, 4.0]);
        assert_eq!(average.values(), Some(&[3.0, 4.0][..]));
    }
}

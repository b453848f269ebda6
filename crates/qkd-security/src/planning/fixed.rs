use super::{ChannelModel, PlanInput, PlanTheorem};
use crate::{BlockPlan, DecoySource, Error, LinkModel, Margin, Theorem};

/// What the running system would do on the link of `input`: its block, its limits and the length it
/// fixes in advance, with the usual margins. Its error correction is taken at what its Cascade keeps
/// to, not at the plan's inefficiency.
///
/// `None` unless the theorem is the one that keys are made under and the channel is exact, because
/// then there is no such system.
///
/// # Errors
/// [`Error::OutOfRange`] names the first figure outside its range, its value and the range.
pub fn fixed(input: &PlanInput) -> Option<Result<BlockPlan, Error>> {
    match (input.theorem, input.channel) {
        (PlanTheorem::Wiesemann2024, ChannelModel::Exact) => Some(derive(input)),
        (
            PlanTheorem::Wiesemann2024
            | PlanTheorem::Rusca2018
            | PlanTheorem::Lim2014
            | PlanTheorem::Gllp
            | PlanTheorem::GllpDecoyInfinite
            | PlanTheorem::GllpVacuumWeak,
            ChannelModel::Exact | ChannelModel::Published,
        ) => None,
    }
}

fn derive(input: &PlanInput) -> Result<BlockPlan, Error> {
    let link = &input.link;
    let setting = super::Setting::of(input)?;
    let [signal, decoy, _] = setting.intensities;
    let [p_signal, p_decoy, _] = setting.probabilities;
    let model = LinkModel {
        source: DecoySource::new([signal, decoy], [p_signal, p_decoy])?
            .with_side_channels(input.side_channels)?,
        key_basis_probability: link.key_basis_probability,
        clock_hz: link.clock_hz,
        transmittance_channel: link.transmittance_channel,
        insertion_transmittance: link.insertion_transmittance,
        detector_efficiency: link.detector_efficiency,
        dark_count_probability: link.dark_count_probability,
        dead_time_slots: link.dead_time_slots,
        afterpulse_probability: link.afterpulse_probability,
        afterpulse_decay_slots: link.afterpulse_decay_slots,
        misalignment_error: link.misalignment_error,
    };
    let margin = Margin::default();
    let theorem = Theorem::Wiesemann2024;
    BlockPlan::derive(
        &model,
        input.block_bits,
        &input.parameters,
        theorem,
        &margin,
    )
}

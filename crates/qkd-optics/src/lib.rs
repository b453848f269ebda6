//! Light and the instruments that make, carry and detect it, down to the bytes of a photon frame.
//!
//! Light is sealed: outside this crate nobody can look into a [`PulseTrain`], copy it, or learn
//! what Alice put into it other than by measuring it ([`Receiver`], [`EvePort`]). This crate never
//! opens a socket, never asks for the time, never draws entropy of its own and never tells Alice
//! what became of her light.
//!
//! Sampling is exact to the resolution of double precision as long as slots are independent. It is
//! sparse: only slots that still hold light are visited, so the cost follows arriving photons and
//! not clock ticks. Where more than a few slots in twenty hold light they are all asked, 512 at a
//! time; the kernels for that are this crate's only unsafe code. What decides an event uses additions, multiplications, divisions and square
//! roots alone, never the platform's logarithm and never a fused multiply-add: the same seed means
//! the same detections on every machine.

#![deny(unsafe_code)]

mod alices_door;
mod channel;
mod choices;
mod detections;
mod detectors;
mod doorway;
mod error;
mod eve_port;
mod frame;
mod gaps;
mod light;
mod mathematics;
mod monitor;
mod receiver;
mod sampling;
mod slot_list;
mod source;
mod transmitter;

pub use alices_door::{
    AlicesDoor, INWARD_PHOTONS_MAX, InwardLight, Isolation, Layout, OutputMonitor,
    SIGNAL_BAND_MAX_NM, Watchdog,
};
pub use channel::{
    Background, Beam, Channel, ChannelEffects, Conditions, Daylight, Fibre, FreeSpace,
    PolarisationDrift, SatellitePass, SharedFibre, SharedLength, Turbulence, Window, transmittance,
};
pub use choices::Choices;
pub use detections::Detections;
pub use detectors::{
    ARRIVAL_BINS, ArrivalMonitor, BackFlash, BasisChoice, BitAssignment, DeadTimes,
    DetectorEffects, Detectors, EfficiencyMismatch, FlashPhoton, Gating, LinearMode,
    PhotocurrentMonitor, PowerMonitor, RandomEfficiency, TimeFilter, TimingJitter, WeakGenerator,
};
pub use doorway::Doorway;
pub use error::{Error, FrameError};
pub use eve_port::{CapturedPulse, EvePort, KeptPhotons, MeasuredPulse, Orientation, Said};
pub use frame::{
    FRAME_BYTES, FlashFrame, Frame, FrameAddress, FrameCounters, FrameEncoder, FrameHeader,
    FrameOrder, FrameShape, Inward, InwardFrame, InwardSlots, LightDensity, OrderLimits,
    PAYLOAD_BYTES, PhotonBits, PulseFrame, ReflectedFrame, Verdict, WordBits, WordFormat,
};
pub use gaps::{Gaps, GapsView};
pub use light::{
    ARRIVAL_MAX_PS, ARRIVAL_STEP_PS, BRIGHT_PHOTONS_MAX, Basis, Choice, CraftedPulse, Detection,
    Direction, ILLUMINATION_MAX, IntensityClass, PHOTONS_MAX, PulseTrain,
};
pub use monitor::{Alarm, Monitor};
pub use receiver::{Arrivals, Level, Readings, Receiver, ReceiverCounters, Weakened, Windows};
pub use slot_list::{SlotList, SlotsError};
pub use source::{
    Extinction, HeraldedPairs, INTENSITIES_MAX, INTENSITY_MAX, IntensityNoise, PhotonStatistics,
    PreparationError, SinglePhoton, Source, SourceEffects,
};
pub use transmitter::{Reflections, Sampling, Transmitter};

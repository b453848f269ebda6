use std::fmt;

/// What a secret-key figure is worth; shown wherever the figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Proven for blocks of finite length against any attack.
    FiniteKey,
    /// For blocks of finite length against any attack, but with a step that is known to be no
    /// rigorous bound: to compare with published work, not to make keys.
    FiniteAsPublished,
    /// Proven for blocks of finite length against an Eve who treats every signal alike and may
    /// store what she gets (collective attacks).
    FiniteCollective,
    /// Proven in the limit of infinitely many signals: what a link can at most give, not a length
    /// for a block that was measured.
    Asymptotic,
    /// Holds only against an Eve who measures every signal by itself. A demonstration.
    IndividualAttacks,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::FiniteKey => "finite key, any attack",
            Standing::FiniteAsPublished => {
                "finite key as published, to compare with: a step of its proof is not rigorous"
            }
            Standing::FiniteCollective => "finite key, collective attacks only",
            Standing::Asymptotic => {
                "asymptotic: the limit of infinitely many signals, not the length of a block"
            }
            Standing::IndividualAttacks => {
                "demonstration: safe from individual attacks only, not a key to rely on"
            }
        })
    }
}

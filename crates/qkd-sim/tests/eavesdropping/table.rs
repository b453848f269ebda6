//! One row of the table of attacks, and how it fails.

/// Distance from the expectation at which a figure fails, in standard deviations.
const SIGMAS_MAX: f64 = 5.0;

/// What an attack in one setting must show.
pub struct Row {
    attack: &'static str,
    setting: String,
    seed: u64,
    figures: Vec<Figure>,
}

struct Figure {
    name: &'static str,
    expected: f64,
    seen: f64,
    sigma: f64,
    /// Below the expectation everything is well.
    is_limit: bool,
}

impl Row {
    pub fn new(attack: &'static str, setting: impl Into<String>, seed: u64) -> Self {
        Self {
            attack,
            setting: setting.into(),
            seed,
            figures: Vec::new(),
        }
    }

    /// So many of so many independent events, each with the expected probability.
    pub fn share(&mut self, name: &'static str, expected: f64, hits: u64, trials: u64) {
        let trials = trials as f64;
        let seen = if trials > 0.0 {
            hits as f64 / trials
        } else {
            hits as f64
        };
        let sigma = (expected * (1.0 - expected) / trials.max(1.0)).sqrt();
        self.near(name, expected, seen, sigma);
    }

    /// A figure with this standard deviation.
    pub fn near(&mut self, name: &'static str, expected: f64, seen: f64, sigma: f64) {
        self.push(name, [expected, seen, sigma], false);
    }

    /// A figure that chance has no part in.
    pub fn exactly(&mut self, name: &'static str, expected: f64, seen: f64) {
        self.push(name, [expected, seen, 0.0], false);
    }

    /// A figure that must not be larger.
    pub fn at_most(&mut self, name: &'static str, limit: f64, seen: f64) {
        self.push(name, [limit, seen, 0.0], true);
    }

    fn push(&mut self, name: &'static str, [expected, seen, sigma]: [f64; 3], is_limit: bool) {
        self.figures.push(Figure {
            name,
            expected,
            seen,
            sigma,
            is_limit,
        });
    }
}

/// Fails with every figure of the row that is off.
pub fn check(row: &Row) {
    let mut off = Vec::new();
    for figure in &row.figures {
        let apart = figure.seen - figure.expected;
        let allowed = SIGMAS_MAX * figure.sigma + 1e-12;
        let holds = if figure.is_limit {
            apart <= allowed
        } else {
            apart.abs() <= allowed
        };
        let line = format!(
            "{} | {} | seed {} | {}: expected {:.6}, seen {:.6}, {:+.2} sigma of {:.2e}",
            row.attack,
            row.setting,
            row.seed,
            figure.name,
            figure.expected,
            figure.seen,
            apart / figure.sigma,
            figure.sigma
        );
        println!("{line}");
        if !holds {
            off.push(line);
        }
    }
    assert!(off.is_empty(), "\n{}", off.join("\n"));
}

use super::*;

/// Alice's half of a link whose frames go their own way, while Bob's words come from elsewhere.
struct Listener {
    run: Run,
    heard: Transcript,
}

impl Listener {
    fn new(frame_loss: FrameLoss) -> Self {
        let link = Link {
            frame_loss,
            ..link()
        };
        Self {
            run: Run::new(&link).expect("the link can be built"),
            heard: Transcript::default(),
        }
    }

    /// Sends a train into the lossy network and lets a Bob, whom nobody listens to, measure it.
    fn transmit(&mut self) {
        let train = self
            .run
            .alice
            .transmit(self.run.span)
            .expect("a sound generator");
        let now = self.run.now();
        let frames = self.run.channel.carry(train, now.0).expect("own frames");
        let settled = frames.last().map_or(0, |frame| frame.header().slots().end);
        let said = self.run.bob.measure(now, frames, settled);
        drop(said.expect("frames in order"));
    }

    fn hear(&mut self, now: Time, message: &Message) -> Vec<Message> {
        let answers = self.run.alice.hear(now, message.clone());
        let answers = answers.expect("Bob is honest");
        for answer in &answers {
            self.heard.add(true, answer);
        }
        answers
    }
}

fn link() -> Link {
    let mut link = presets::snspd(25.0, 61).expect("the preset is sound");
    link.block_bits = 200_000;
    link
}

/// Alice is never told of loss: what she says depends on her seed and on Bob's announcements, and
/// on nothing that happened to her frames. One Bob, who lost none, speaks to all the Alices.
#[test]
fn alice_says_the_same_under_every_pattern_of_lost_frames() {
    let patterns = [
        FrameLoss::NONE,
        FrameLoss::Random(0.3),
        FrameLoss::Every(3),
        FrameLoss::Bursts {
            arriving: 40,
            lost: 20,
        },
        FrameLoss::Random(1.0),
    ];
    let mut alices: Vec<Listener> = patterns.into_iter().map(Listener::new).collect();
    let mut main = Run::new(&link()).expect("the link can be built");
    let mut said = main.bob.begin(Time(0)).expect("Bob can ask");
    let mut now = Time(0);
    loop {
        while !said.is_empty() {
            let mut next = Vec::new();
            for message in said {
                let answers: Vec<_> = alices
                    .iter_mut()
                    .map(|alice| alice.hear(now, &message))
                    .collect();
                for answer in answers.into_iter().next().unwrap_or_default() {
                    next.extend(main.bob.hear(now, answer).expect("Alice is honest"));
                }
            }
            said = next;
        }
        if !main.bob.reports.is_empty() {
            break;
        }
        let train = main.alice.transmit(main.span).expect("a sound generator");
        now = main.now();
        let frames = main.channel.carry(train, now.0).expect("own frames");
        alices.iter_mut().for_each(Listener::transmit);
        let settled = main.alice.transmitter.next_slot();
        said = main.bob.measure(now, frames, settled).expect("in order");
    }
    let spoken = alices[0].heard.messages();
    assert!(spoken > 10, "{spoken} messages are no block");
    for (alice, pattern) in alices.iter().zip(patterns) {
        let digest = (alice.heard.messages(), alice.heard.digest());
        assert_eq!(
            digest,
            (spoken, alices[0].heard.digest()),
            "{pattern:?} changed what Alice says"
        );
    }
    let lost = |alice: &Listener| alice.run.channel.lost_slots();
    assert!(lost(&alices[0]) == 0 && alices[1..4].iter().all(|alice| lost(alice) > 0));
    let key = |report: &BlockReport| report.secret_length_bits() > 0;
    assert!(main.bob.reports.iter().all(key), "the block gave no key");
}

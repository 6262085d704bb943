//! Answers another program that asks for one run at a time, so that servers which this bench knows nothing of take their
//! turns with ours: `.ci/load`, and `tests/load` that it runs.
//!
//! Each line on standard input is a question, and each line on standard output that begins with `=` answers one:
//!
//! ```text
//! relay PAIRS IN_FLIGHT MESSAGES   = messages in a second; µs of the server's processors for each; ms until it is
//! bare PAIRS IN_FLIGHT MESSAGES      stored, p50 and p99; ms until it is delivered, p50 and p99
//! disk PAIRS IN_FLIGHT MESSAGES
//! idle LINKS                       = KiB of the relay's resident memory for each
//! ```

use std::path::Path;

use crate::idle;
use crate::load::Carried;
use crate::relayed::{Contender, Field, Level};
use crate::timed::percentiles;

/// Answers until nothing is asked any more. What is no question ends it.
pub(crate) async fn answer(dir: &Path) {
    let field = Field::start(dir);
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        let contender = match words[0] {
            "relay" => Contender::Relay,
            "bare" => Contender::Bare,
            "disk" => Contender::Disk,
            "idle" => {
                println!("= {:.1}", idle::relay(dir, u32::try_from(number(1)).unwrap()).await);
                continue;
            }
            other => panic!("nobody is called {other}"),
        };
        let level = Level { pairs: number(1), in_flight: number(2), messages: number(3), opened: 0 };
        let Carried { rate, cpu, took } = field.run(contender, &level).await;
        let [stored, delivered] = [&took.stored, &took.delivered].map(|values| percentiles(values));
        let cpu = 1e6 * cpu.as_secs_f64();
        println!("= {rate} {cpu} {} {} {} {}", stored[0], stored[1], delivered[0], delivered[1]);
    }
}

//! Our bench (`tests/benches/perf/asked.rs`), which runs what it is asked for: the relay, the bare relay, the disk.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::load::Level;
use crate::peer::Carried;

/// The bench, waiting to be asked. It ends when this is dropped.
pub(crate) struct Ours {
    _child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Ours {
    /// Starts it by this command.
    pub(crate) fn start(command: &[String]) -> Self {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { _child: child, questions, answers: BufReader::new(answers).lines() }
    }

    /// Lets `who` carry the messages of a level.
    pub(crate) async fn carry(&mut self, who: &str, level: &Level) -> Carried {
        let Level { pairs, in_flight, messages } = level;
        let answer = self.ask(&format!("{who} {pairs} {in_flight} {messages}")).await;
        let [rate, cpu_us, stored50, stored99, delivered50, delivered99] = answer.try_into().unwrap();
        Carried {
            rate,
            cpu_us,
            acknowledged_ms: [stored50, stored99],
            delivered_ms: [delivered50, delivered99],
        }
    }

    /// KiB for each of so many idle links at the relay.
    pub(crate) async fn idle(&mut self, links: u32) -> f64 {
        self.ask(&format!("idle {links}")).await[0]
    }

    async fn ask(&mut self, question: &str) -> Vec<f64> {
        self.questions.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        loop {
            let line = self.answers.next_line().await.unwrap().expect("the bench ended");
            match line.strip_prefix("= ") {
                Some(figures) => return figures.split(' ').map(|figure| figure.parse().unwrap()).collect(),
                // What it was measured on.
                None => println!("{line}"),
            }
        }
    }
}

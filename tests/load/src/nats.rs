//! NATS JetStream: streams on files, work-queue retention, a durable push consumer for each reader.
//!
//! The answer to the sender says that the message is in the stream and, with `sync_interval: always`, on the disk. The
//! reader's `+ACK` has the server delete it, which nobody waits for.

use bytes::{Buf as _, BytesMut};
use memchr::memchr;
use serde_json::Value;

use crate::link::{Dialer, Link};
use crate::tongue::{Heard, PAYLOAD, Tongue, numbered, payload};

/// Queues are spread over so many streams, so that their flushes need not wait for each other.
const STREAMS: u32 = 64;

pub(crate) struct Nats {
    number: u32,
    has: u64,
    /// Of the first message that was sent.
    first: Option<u64>,
}

impl Tongue for Nats {
    const GOODBYE: &'static [u8] = b"";

    async fn sender(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        let mut link = connect(&dialer, port).await;
        link.say(format!("SUB _INBOX.s{number}.* 1\r\n").as_bytes()).await;
        (link, Self::new(number))
    }

    async fn reader(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        let mut link = connect(&dialer, port).await;
        let stream = number % STREAMS;
        link.say(format!("SUB _INBOX.r{number}.* 1\r\nSUB to.{number} 2\r\n").as_bytes()).await;
        let subject = format!("q.{stream}.{number}");
        let make = format!(
            r#"{{"name":"q{stream}","subjects":["q.{stream}.*"],"retention":"workqueue","storage":"file","num_replicas":1,"no_ack":false}}"#
        );
        ask(&mut link, number, &format!("STREAM.CREATE.q{stream}"), &make).await;
        let make = format!(
            r#"{{"stream_name":"q{stream}","config":{{"durable_name":"r{number}","deliver_subject":"to.{number}","filter_subject":"{subject}","ack_policy":"explicit","deliver_policy":"all"}}}}"#
        );
        ask(&mut link, number, &format!("CONSUMER.DURABLE.CREATE.q{stream}.r{number}"), &make).await;
        (link, Self::new(number))
    }

    fn send(&mut self, message: u64, out: &mut Vec<u8>) {
        self.first.get_or_insert(message);
        let number = self.number;
        let stream = number % STREAMS;
        let head = format!("PUB q.{stream}.{number} _INBOX.s{number}.{message} {PAYLOAD}\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&payload(message));
        out.extend_from_slice(b"\r\n");
    }

    fn hear(&mut self, unread: &mut BytesMut) -> Option<Heard> {
        Some(match cut(unread)? {
            Said::Ping => Heard::Asked(b"PONG\r\n".to_vec()),
            Said::Line => Heard::Other,
            // A consumer's message has a reply to say that it was read; an answer to a sender has none.
            Said::Message { reply: Some(reply), body, .. } => {
                Heard::Message(numbered(&body), format!("PUB {reply} 4\r\n+ACK\r\n").into_bytes())
            }
            Said::Message { subject, body, .. } => {
                let message = self.first.unwrap() + self.has;
                assert!(subject.ends_with(&format!(".{message}")), "out of order");
                // {"stream":"q0", "seq":1}, with an error in it where there was one.
                assert!(memchr::memmem::find(&body, b"\"seq\"").is_some(), "refused: {body:?}");
                self.has += 1;
                Heard::Has
            }
        })
    }
}

impl Nats {
    fn new(number: u32) -> Self {
        Self { number, has: 0, first: None }
    }
}

enum Said {
    Ping,
    Line,
    Message { subject: String, reply: Option<String>, body: BytesMut },
}

/// `SUB` and what the server sends for it; there are no headers in what we publish, nor in answers to it.
fn cut(unread: &mut BytesMut) -> Option<Said> {
    let line = memchr(b'\n', unread)?;
    let text = std::str::from_utf8(&unread[..line]).unwrap().trim_end();
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["MSG", subject, _, reply @ .., bytes] => {
            let (head, bytes) = (line + 1, bytes.parse::<usize>().unwrap());
            if unread.len() < head + bytes + 2 {
                return None;
            }
            let (subject, reply) = ((*subject).to_owned(), reply.first().map(|&reply| reply.to_owned()));
            unread.advance(head);
            let body = unread.split_to(bytes);
            unread.advance(2);
            Some(Said::Message { subject, reply, body })
        }
        ["HMSG" | "-ERR", ..] => panic!("the server said {text}"),
        _ => {
            let ping = text == "PING";
            unread.advance(line + 1);
            Some(if ping { Said::Ping } else { Said::Line })
        }
    }
}

async fn connect(dialer: &Dialer, port: u16) -> Link {
    let mut link = dialer.dial(port).await;
    let hello = r#"CONNECT {"verbose":false,"pedantic":false,"tls_required":true,"name":"load","lang":"rust","version":"0","protocol":1,"echo":true}"#;
    link.say(format!("{hello}\r\n").as_bytes()).await;
    link
}

/// Asks JetStream for something, and ends the run where it refuses.
async fn ask(link: &mut Link, number: u32, what: &str, body: &str) {
    let length = body.len();
    link.say(format!("PUB $JS.API.{what} _INBOX.r{number}.api {length}\r\n{body}\r\n").as_bytes()).await;
    loop {
        match cut(&mut link.unread) {
            Some(Said::Message { body, .. }) => {
                let answer: Value = serde_json::from_slice(&body).unwrap();
                assert!(answer.get("error").is_none(), "{what}: {answer}");
                return;
            }
            Some(Said::Ping) => link.say(b"PONG\r\n").await,
            Some(Said::Line) => {}
            None => link.more().await,
        }
    }
}

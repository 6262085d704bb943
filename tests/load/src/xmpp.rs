//! XMPP as ejabberd speaks it: two people with an account each, both with stream management (XEP-0198).
//!
//! `<a/>` to the sender says that ejabberd took the stanza and routed it; a reader who is there is handed it from memory,
//! and it is on the disk only once the reader is gone. The reader's `<a/>` has ejabberd forget it. XML carries text only:
//! 4 KiB are sent as base64, as clients do that encrypt.

use bytes::BytesMut;
use data_encoding::BASE64;
use memchr::{memchr, memmem};

use crate::link::{Dialer, Link};
use crate::tongue::{Heard, Tongue, payload};

const STREAM: &str = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const PASSWORD: &str = "load";

pub(crate) struct Xmpp {
    to: String,
    /// Stanzas that came since stream management began.
    came: u64,
    /// Stanzas of ours that the server has.
    has: u64,
}

impl Tongue for Xmpp {
    const GOODBYE: &'static [u8] = b"</stream:stream>";

    async fn sender(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        let link = log_in(&dialer, port, &format!("s{number}")).await;
        (link, Self { to: format!("r{number}@localhost"), came: 0, has: 0 })
    }

    async fn reader(dialer: Dialer, port: u16, number: u32) -> (Link, Self) {
        let mut link = log_in(&dialer, port, &format!("r{number}")).await;
        // Until then, what comes is kept for later. The server tells us of our own presence, too.
        ask(&mut link, "<presence/>", "<presence").await;
        (link, Self { to: String::new(), came: 1, has: 0 })
    }

    fn send(&mut self, message: u64, out: &mut Vec<u8>) {
        let to = &self.to;
        out.extend_from_slice(format!("<message to='{to}' type='chat' id='{message}'><body>").as_bytes());
        out.extend_from_slice(BASE64.encode(&payload(message)).as_bytes());
        out.extend_from_slice(b"</body></message><r xmlns='urn:xmpp:sm:3'/>");
    }

    fn hear(&mut self, unread: &mut BytesMut) -> Option<Heard> {
        let element = cut(unread)?;
        let text = std::str::from_utf8(&element).unwrap();
        Some(match name(text) {
            "a" => {
                self.has += 1;
                assert_eq!(attribute(text, "h"), Some(self.has.to_string().as_str()), "out of order");
                Heard::Has
            }
            "r" => Heard::Asked(format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.came).into_bytes()),
            "message" => {
                self.came += 1;
                assert_eq!(attribute(text, "type"), Some("chat"), "{text}");
                // The server asks when it wants to know.
                Heard::Message(attribute(text, "id").unwrap().parse().unwrap(), Vec::new())
            }
            "presence" | "iq" => {
                self.came += 1;
                Heard::Other
            }
            _ => panic!("the server said {text}"),
        })
    }
}

/// The first element, if all of it is there. The head of a stream is one by itself, for its end comes with the link's.
fn cut(unread: &mut BytesMut) -> Option<BytesMut> {
    let tag = memchr(b'>', unread)? + 1;
    let head = std::str::from_utf8(&unread[..tag]).unwrap();
    if head.ends_with("/>")
        || head.starts_with("<?")
        || head.starts_with("<stream:stream")
        || head.starts_with("</")
    {
        return Some(unread.split_to(tag));
    }
    // None of those that we are sent holds another of its own name.
    let end = format!("</{}>", name(head));
    let at = memmem::find(&unread[tag..], end.as_bytes())?;
    Some(unread.split_to(tag + at + end.len()))
}

fn name(element: &str) -> &str {
    element.trim_start_matches('<').split([' ', '>', '/']).next().unwrap()
}

/// An attribute of an element's first tag.
fn attribute<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    let tag = &element[..element.find('>')?];
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next()?;
    rest[1..].split(quote).next()
}

/// A link of the account `name`, which is made if it is not there yet, with stream management.
async fn log_in(dialer: &Dialer, port: u16, name: &str) -> Link {
    let mut link = dialer.dial(port).await;
    ask(&mut link, STREAM, "<stream:features").await;
    let make = format!(
        "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>{name}</username><password>{PASSWORD}</password></query></iq>"
    );
    let made = ask(&mut link, &make, "<iq").await;
    assert!(made.contains("type='result'") || made.contains("conflict"), "no account: {made}");
    let secret = BASE64.encode(format!("\0{name}\0{PASSWORD}").as_bytes());
    let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
    ask(&mut link, &auth, "<success").await;
    ask(&mut link, STREAM, "<stream:features").await;
    let bind = "<iq type='set' id='2'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>load</resource></bind></iq>";
    ask(&mut link, bind, "<iq").await;
    ask(&mut link, "<enable xmlns='urn:xmpp:sm:3'/>", "<enabled").await;
    link
}

/// Says something and waits for what begins so.
async fn ask(link: &mut Link, question: &str, expected: &str) -> String {
    link.say(question.as_bytes()).await;
    loop {
        let Some(element) = cut(&mut link.unread) else {
            link.more().await;
            continue;
        };
        let text = String::from_utf8(element.to_vec()).unwrap();
        if text.starts_with(expected) {
            return text;
        }
        assert!(text.starts_with("<?xml") || text.starts_with("<stream:stream"), "the server said {text}");
    }
}

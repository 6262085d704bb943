## Help

help = Beresta: letters that only you two can read.
help-init = Makes your profile on this machine.
help-status = Says who you are, how the line is, and what waits.
help-relay = Your relay: where your letters wait.
help-relay-set = Takes another relay: your contacts are told where to write, and new invites lead there.
help-relay-credit = Takes a code that the relay's operator gave you: a relay that is not open to everybody makes queues and invites only for a code.
help-invite = Invites: how two people meet.
help-invite-new = Makes a one-time invite to hand to one person.
help-invite-inspect = Says what an invite is, without using it.
help-invite-accept = Accepts an invite that somebody gave you.
help-invite-list = Lists your invites.
help-invite-revoke = Takes an invite back.
help-contact = The people you know.
help-contact-list = Lists your contacts.
help-contact-show = Shows one contact.
help-contact-rename = Calls a contact something else, on this machine only.
help-contact-block = Blocks a contact for good: they can write to you no more.
help-contact-seized = Marks a contact whose device is in other hands: nothing is said to it or taken from it any more.
help-contact-remove = Removes a contact with everything that was said.
help-verify = Making sure that nobody sits in between.
help-verify-show = Shows the safety number with a contact.
help-verify-confirm = Confirms the safety number that the other side read out.
help-chat = Conversations.
help-chat-list = Lists your conversations.
help-chat-open = Opens a conversation: shows what arrives and sends what you type.
help-chat-history = Shows earlier messages.
help-chat-timer = Shows or sets when messages disappear.
help-chat-delete = Deletes the messages of a conversation, on this machine only.
help-send = Sends a message.
help-receive = Fetches and shows new messages.
help-passwd = Changes your passphrase.
help-lock = Has every other Beresta close this profile now. Without a passphrase.
help-lock-idle = Shows or sets after how long a conversation that nobody touches locks.
help-lock-sleep = Shows or sets whether the profile locks when this machine sleeps.
help-lock-session = Shows or sets whether the profile locks when your desktop is locked. Linux with logind only.
help-panic = Destroys this profile at once, for good, without a passphrase. Your shell may keep this line in its history.
help-alert = A message that goes to some contacts when this profile is destroyed.
help-alert-set = Sets it, for the contacts that --to names. The text is asked for, or read from standard input.
help-alert-remove = Removes it.
help-alert-status = Shows it, and to whom it would go now.
help-duress = A second passphrase for when you are forced to give one.
help-duress-set = Sets it: cold closes the profile and says that the passphrase is wrong; wipe destroys the profile; decoy opens a second profile, of somebody with --name.
help-duress-remove = Removes it; with decoy: removes the decoy and all that is in it.
help-duress-status = Says whether there is one and what it does, and whether there is a decoy.
help-completions = Prints completions for a shell: bash, elvish, fish, powershell or zsh.

help--dir = Folder of the profile.
help--json = Prints JSON, one object a line.
help--lang = Language of the texts: en or ru.
help--passphrase-fd = Reads the passphrase from this open file descriptor instead of asking.
help--key-file = The key file that goes with the passphrase, if you made one. Shells keep what you typed: keep this line out of their history.
help-passwd--make-key-file = Makes a new key file there, without which the profile no longer opens. A place on another device is wise.
help-passwd--drop-key-file = Lets the profile open without a key file from now on.
help--quiet = Says only what is wrong, and prints data.
help--help = Prints this help.
help--version = Prints the version.
help--name = The name to call them by.
help-init--name = The name that your contacts will see. A pseudonym is wise.
help-init--relay = The address of the relay where your letters wait. Without one, your first invite brings one.
help--relay = The address of a relay.
help--kdf-memory-mib = Memory that a guess at the passphrase costs, in MiB. Lower it only for tests: a lower value makes guessing cheaper.
help--expires = How long the invite lives: 1h to 7d. 24h unless you say otherwise.
help--for = The contact whom you meet again: with a new key, after losing a device for example, or because you do not reach each other any more.
help--no-qr = Prints no QR code.
help--link = The invite, or - to read it from standard input. What stands on a command line can be seen by other users of this machine.
help--id = The id that a list shows.
help--contact = The contact's name, its beginning, or the id that a list shows.
help--to = A contact that it goes to, as --to Anna --to Boris; at most 16.
help-contact-rename--name = The new name.
help--yes = Does not ask.
help-relay-credit--code = The code, or - to read it from standard input. What stands on a command line can be seen by other users of this machine.
help--code = The safety number as the other side read it out. Asked for if not given.
help--before = Shows messages before this one.
help--limit = Shows at most so many.
help--span = off, or a time such as 30s, 5m, 1h, 1d, 1w; at most 4w. Without it, the timer is shown.
help--what = cold or wipe.
help-lock-idle--span = off, or a time from 1m to 1d. Without it, the setting is shown.
help--state = on or off. Without it, the setting is shown.
help--message = The text. Other users of this machine can see command lines: without this option the text is read from standard input.
help--stdin = Reads the text from standard input, as without -m.
help--send-anyway = Sends although the contact's key changed.
help--wait = How long to wait for the relay. 15s unless you say otherwise.
help--follow = Goes on until Ctrl-C.
help--brief = Leaves as soon as nothing more comes. Others learn the next time that their messages arrived.
help--timeout = Seconds to wait for the relay, and for more messages than wait there.
help--max = Ends after so many messages.
help--shell = The shell.
help-exit-codes = Exit codes: 0 done, 1 failed inside, 2 not understood, 3 no line to the relay, 4 keys changed or were refused, 5 busy or too much, 6 locked (passphrase, or in use), 7 not found, 8 kept but not yet sent, or not all could be looked at.
value-dir = DIR
value-file = FILE
value-name = NAME
value-contact = CONTACT
value-id = ID
value-text = TEXT
value-link = LINK
value-digits = DIGITS
value-shell = SHELL
heading-usage = Usage:
heading-commands = Commands
heading-options = Options

## Asking

ask-passphrase = Passphrase:{" "}
ask-new-passphrase = New passphrase:{" "}
ask-again = Once more:{" "}
ask-made-seen = Press Enter when you know them, or have them on paper.{" "}
ask-made-again = Type the words:{" "}
sure-key-file = Make it? Type yes:
ask-name = What name shall your contacts see? A pseudonym is wise.
ask-code = Type the safety number that { $name } reads out:
ask-alert = What shall they be told? One line, without names and plans:
sure-remove = Remove { $name } with everything that was said? Type yes:
sure-seized = Is the device of { $name } in other hands? The way to and from it is cut for good. Type yes:
sure-delete = Delete every message with { $name } on this machine? Type yes:
sure-panic = Destroy this profile for good, with everything in it? Type yes:
sure-decoy = Make a decoy, and overwrite whatever is on the other side of the files? Type yes:
sure-remove-decoy = Remove the decoy and all that is in it? Type yes:
sure-alert = Say this to them when the profile is destroyed? Type yes:
sure-duress = Set a duress passphrase that does this? Type yes:

## Progress

opening = Opening the profile…
making = Making the profile…
reaching = Reaching the relay…
following = Waiting for messages. Ctrl-C ends it.

## Profile

init-advice = Now a passphrase. Press Enter, and random words are made for you: nobody guesses them. Or type your own. There is no way to get in without it, for anybody.
init-cheap = A GUESS AT YOUR PASSPHRASE WILL COST LESS THAN IS USUAL, and that cannot be changed later: you chose less than 256 MiB. If this is not a test, end this by Ctrl-C and begin again without --kdf-memory-mib.
made-front = Your passphrase, shown once. Learn it, or write it on paper and burn that when you know it:
made-end = These words are random, with 77 bits: all the computers of a state would try for millions of years. Small or capital letters and the number of spaces do not matter.
made-differs = These were not the words. They are shown once more.
passwd-advice = Now the new passphrase. Press Enter, and random words are made for you; or type your own.
key-file-advice = A KEY FILE IS AS NEEDED AS THE PASSPHRASE: lost or changed by one bit, nobody opens this profile any more, you neither. Keep it on another device than this one, a memory stick for example, and a copy in a place that you trust. Who has both, file and passphrase, opens the profile.
init-made = Your profile is in { $dir }.
init-next-accept = Next: accept an invite by “beresta invite accept -” and paste it.
init-next-invite = Next: invite somebody by “beresta invite new”, or accept an invite by “beresta invite accept -”.
status-name = Name: { $value }
status-no-relay = No relay yet: accept an invite, or name one by “beresta relay set”.
relay-volatile = Your relay keeps what waits there in memory only: nobody who takes the machine can open it, but each restart of the relay loses what you have not fetched yet, and your open invites. Whoever wrote it saw “at the relay” and hears only after 21 days. Fetch often, and ask after what matters.
status-linked = Relay: reached
status-not-linked = Relay: not reached. Check your connection; the relay may be down or blocked.
status-lost = { $n ->
    [one] YOU AND ONE CONTACT MAY HAVE LOST EACH OTHER
   *[other] YOU AND { $n } CONTACTS MAY HAVE LOST EACH OTHER
}: what either of you writes may not arrive. See which by “beresta contact list”, and what to do by “beresta contact show”.
contact-is-lost = MAY HAVE LOST EACH OTHER
status-contacts = Contacts: { $n }
status-new = New messages: { $n }
status-waiting = Waiting to be sent: { $n }
status-dropped = { $n ->
    [one] Dropped as not genuine: { $n } item. A few are harmless; many may be an attack.
   *[other] Dropped as not genuine: { $n } items. A few are harmless; many may be an attack.
}
relay-set = Your letters wait at the new relay from now on. Contacts whose own relay works are told; open invites lead to the old one, so take them back. Whom you do not reach any more, meet again: “beresta invite new --for …”.
relay-telling = { $n ->
    [one] { $n } contact is still to be told…
   *[other] { $n } contacts are still to be told…
}
relay-leaving = { $n ->
    [one] { $n } message is still to leave…
   *[other] { $n } messages are still to leave…
}
relay-untold = { $n ->
    [one] { $n } CONTACT DOES NOT KNOW YET where to write to you now: your relay made no queue for them, or was not reached. They go on writing to where they wrote before, which reaches you only while that queue is there and its relay answers. Look again by “beresta status”, or take another relay by “beresta relay set”.
   *[other] { $n } CONTACTS DO NOT KNOW YET where to write to you now: your relay made no queue for them, or was not reached. They go on writing to where they wrote before, which reaches you only while that queue is there and its relay answers. Look again by “beresta status”, or take another relay by “beresta relay set”.
}
relay-crowded = Your relay has more people than room, and lets you read only some of your conversations and invites at a time. { $n ->
    [one] One waits
   *[other] { $n } wait
} for a turn, which comes within minutes while Beresta stays open (“beresta receive --follow”); with very many conversations, within an hour or two. What was written waits at the relay, for up to three weeks. If this goes on, take another relay by “beresta relay set”.
home-lost = YOUR RELAY IS NOT REACHED: what is written to you there does not come, and what you write to others who read there waits here. { $why } Beresta goes on trying, and says when it is back.
home-back = Your relay is reached again.
line-unreachable = Check your connection; the relay may be down, or blocked where you are. If this goes on, ask its operator over another way.
credit-set = Your relay makes queues and invites for you from now on, as far as the code goes.
credit-set-elsewhere = The code is kept. It is of another relay than yours: it counts once that one is yours, by “beresta relay set …”.
key-file-stays = The new key file stays where it was made. Try whether the profile opens with your passphrase of before; if not, it opens with the new one and this file. Delete the file only once you know that you do not need it.
passwd-done = The passphrase was changed. A copy of the profile that somebody made before still opens with the old one.
lock-nobody = No other Beresta has this profile open.
lock-done = It was open elsewhere, and is closed now.
lock-killed = It was open elsewhere, did not close in time, and was ended. What stands on its screen stays there: clear it.
lock-idle-off = Conversations do not lock by themselves.
lock-idle = Conversations that nobody touches lock after: { $by }
lock-idle-on = Locks unless you press Enter now and then. Time without a sign of you: { $by }
lock-sleep-on = The profile locks when this machine sleeps.
lock-sleep-off = A SLEEP OF THIS MACHINE DOES NOT LOCK THE PROFILE: whoever wakes it finds it open.
lock-session-on = The profile locks when your desktop is locked.
lock-session-off = The profile does not lock when your desktop is locked.
lock-session-unseen = BUT HERE NOBODY SAYS WHEN THAT IS: logind does not answer, or knows no session of yours. Lock by “beresta lock” before you leave.
panic-done = Done.
alert-none = There is no alert.
alert-text = When this profile is destroyed: { $text }
alert-to = Goes to: { $name }
alert-not-to = CAN'T GO NOW to: { $name }. You have not met yet, the contact is blocked or marked as seized, or their key changed and you have not decided.
alert-limits = It is said when this profile is destroyed: by “beresta panic”, by /panic, by a duress passphrase of kind wipe. Destroying waits for nothing, so it leaves only where a Beresta that is connected has the profile open at that moment, and only to relays that answer within a second; you will not learn whether it arrived. With nothing open, nothing is said; a duress passphrase of kind cold says nothing either. Your contacts see it like any message, with the timer of the conversation. Whoever holds you can learn of it from them, from their devices, or from seeing that you sent something: agree beforehand what they do then.
duress-none = There is no duress passphrase.
duress-cold = There is a duress passphrase. It closes the profile everywhere and says that the passphrase is wrong.
duress-wipe = There is a duress passphrase. It destroys the profile.
decoy-none = No decoy was made from this profile.
decoy-there = There is a decoy. Its own passphrase opens it like any profile. Open it now and then and write in it: one in which nobody lives convinces nobody.
duress-choose = Now choose the duress passphrase: one that you will not confuse with your own, and that no slip of yours can turn into.
duress-limits-cold = cold: whoever types this passphrase is told that it is wrong, and the profile is closed wherever it is open on this machine, which can be seen. Nothing is destroyed: your own passphrase still opens everything, for whoever gets it out of you.
duress-limits-wipe = wipe: whoever types this passphrase, you too by mistake, destroys the profile at once and for good; then there is no profile here. That something was destroyed can be noticed. Destroying evidence can itself be punished, in some places harder than what it would have proved.
duress-limits-decoy = decoy: this passphrase opens a second profile, with an account, contacts and messages of its own, which you have to make and keep alive. Nothing in the files says which of the two is yours, or whether the second is used at all: every profile has both. It does not help against who has two copies of the disk from different days, and sees which side changed; who asks your contacts, your relay or your provider; or who finds you writing. If this profile is itself a decoy, what you would overwrite is the other one. Three things tell more than they should: a power cut in the middle of a write, a copy made while this decoy is being set up, and a profile that has grown beyond 15 MiB beside a decoy that holds little.
duress-limits = It works only where it is typed into Beresta on this machine. A copy of the disk that was made before opens with your own passphrase. Your contacts have what you wrote to them, and a relay and a provider may know when you were connected. Whoever forces you may know that such passphrases exist, and act on the suspicion.
store-unwritable = Your profile cannot be written: the disk may be full. Nothing is lost, and nothing more is received until there is room. Make some; Beresta goes on by itself.
store-unwiped = What has disappeared is still in the files of your profile: they could not be wiped. Close whatever else has them open (a backup, a virus scanner), make room on the disk, and start Beresta again.
writes-elsewhere = The file system under your profile keeps old versions of what is overwritten, so texts that have disappeared may be found on this disk. Move the folder of the profile to a disk with ext4 or xfs, and take no snapshots of it.
bare-swap = This machine writes memory to a disk that is not encrypted (swap), and with it what you read here. Switch it off (“swapoff -a”) or encrypt it; best, encrypt the whole disk.
clock-behind = Your clock is behind the relay's by { $by }. Set it: messages may disappear late, and letters may be refused.
clock-ahead = Your clock is ahead of the relay's by { $by }. Set it: messages may disappear early, and letters may be refused.
span-weeks = { $n ->
    [one] { $n } week
   *[other] { $n } weeks
}
span-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
}
span-hours = { $n ->
    [one] { $n } hour
   *[other] { $n } hours
}
span-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
}
span-seconds = { $n ->
    [one] { $n } second
   *[other] { $n } seconds
}

## Invites

invite-made = Hand this invite to one person, over a way that you trust. It works once, until { $until } UTC:
invite-advice = Whoever accepts it becomes your contact. If somebody else gets it first, your friend is told.
inspect-until = Valid until { $value } UTC, by its maker's clock
inspect-relay = Leads to the relay { $value }
inspect-advice = Accepting it tells this relay your internet address, and its maker where to write to you.
accepted = { $name } is your contact now. Compare safety numbers when you can: “beresta verify show”.
invite-open = open
invite-used = used
invite-ended = ended
no-invites = You have made no invites. Make one by “beresta invite new”.
revoked = The invite was taken back.
revoked-later = The invite was taken back here. The relay could not be reached: it forgets the invite when it is reached again. Until then, it may still be accepted, and whoever does will not reach you.

## Contacts

trust-blocked = blocked
trust-seized = DEVICE SEIZED
trust-invited = met by invite, number not compared
trust-verified = safety number compared
trust-changed = KEY CHANGED
timer-off = messages stay
timer-weeks = { $n ->
    [one] messages disappear after { $n } week
   *[other] messages disappear after { $n } weeks
}
timer-days = { $n ->
    [one] messages disappear after { $n } day
   *[other] messages disappear after { $n } days
}
timer-hours = { $n ->
    [one] messages disappear after { $n } hour
   *[other] messages disappear after { $n } hours
}
timer-minutes = { $n ->
    [one] messages disappear after { $n } minute
   *[other] messages disappear after { $n } minutes
}
timer-seconds = { $n ->
    [one] messages disappear after { $n } second
   *[other] messages disappear after { $n } seconds
}
no-contacts = You have no contacts yet. Invite somebody by “beresta invite new”, or accept an invite by “beresta invite accept -”.
not-met-yet = They have not answered yet. You can write already.
renamed = Called { $name } from now on.
blocked = { $name } is blocked and can write to you no more.
seized = Marked: the device of { $name } is in other hands. Nothing is said to it or taken from it any more, and what it knew of the way to you leads nowhere. What you wrote before is still on it. Warn the others by a way that it does not know. When { $name } is free again, remove this contact and meet anew.
seized-history = THE DEVICE of { $name } WAS SEIZED. What came from it last may be from others.
removed = { $name } was removed with everything that was said.
verify-advice = Call or meet { $name } and read the number out, half each. If it is the same, type “beresta verify confirm”. If not, somebody sits in between: do not write.
verified = The number is the same. You are talking to { $name } and to nobody else.

## Talking

me = me
state-queued = kept here
state-too-long-now = kept here, as their relay takes no long texts at present; it goes by itself once there is room; shorter ones may go before it
state-at-relay = at the relay
state-delivered = delivered
state-failed = no word came that it arrived
state-new = new
state-shown = shown
sent = The relay has your message for { $name }.
sent-volatile = The relay has your message for { $name }, in memory only: if it restarts before { $name } has fetched it, the message is lost, and you hear only after 21 days. Look later whether it was delivered: “beresta chat history”.
contact-volatile = The relay of { $name } keeps what waits there in memory only: if it restarts before { $name } has fetched a message, that message is lost, and you hear only after 21 days. Rely on “delivered” and not on “at the relay”, and ask after what matters.
kept-not-sent = Kept, and not sent yet: the relay that it is for could not be reached, or takes nothing at the moment. It goes out as soon as Beresta runs and that relay takes it.
kept-too-long-now = Kept, and not sent yet: the relay of { $name } takes no long texts at present. It goes out by itself, while Beresta runs, once there is room; shorter ones may go before it.
contact-lost = THE RELAY OF { $name } IS NOT REACHED: what you write to { $name } waits here, and goes out once it is. { $why }
send-failed = Not delivered: { $name } cannot be reached any more. Their relay may have lost its queues, or they may have removed or blocked you: ask them another way, and meet again by “beresta invite new --for { $id }”.
came-further = { $state }: { $text }
chat-opened = Conversation with { $name } ({ $trust }). Type and press Enter. /help shows more, Ctrl-D ends it.
chat-timer = Here { $timer }. Nothing protects from a photo of the screen.
chat-help = /timer 1h sets when messages disappear (off keeps them) · /anyway writes to a changed key · /lock closes the profile and clears the screen · /panic destroys the profile · /quit ends · // begins a text with a stroke · a command is typed alone on its line: what is pasted (shown between ^[[200~ and ^[[201~) is none
chat-unknown = There is no { $what }. /help shows what there is; // begins a text with a stroke.
chat-not-alone = { $what } is a command only where it is typed, alone on its line. Nothing was done and nothing sent: type it once more. // begins a text with a stroke.
chat-others = Others wrote to you, too: see “beresta chat list”.
chat-new = { $n ->
    [one] { $n } new
   *[other] { $n } new
}
receipts-wait = Staying until the receipts are out, up to half a minute. Ctrl-C leaves now; they then go out the next time.
nothing-new = No new messages.
no-messages = Nothing was said yet, or it has disappeared.
timer-advice = The other side is told. It holds for messages from now on; nothing protects from a photo of the screen.
deleted = { $n ->
    [one] { $n } message was deleted on this machine.
   *[other] { $n } messages were deleted on this machine.
}

## Events

event-met = { $name } is there: you can talk.
event-seized-wrote = SOMEBODY WRITES from the device of { $name }, which you marked as seized. Nothing of it is shown or kept.
event-invite-used-again = SOMEBODY ELSE tried to use the invite that { $name } accepted: the link was seen by others. They were refused. Compare safety numbers with { $name }.
event-identity-changed = THE KEY OF { $name } CHANGED. They may have a new device, or somebody poses as them. Nothing is sent until you decide: compare safety numbers by “beresta verify show”, or send with --send-anyway.
event-timer-changed = { $name } changed the timer: { $timer }.
event-taken-over = SOMETHING ELSE reads your letters from { $name } at the relay. If you have not opened this profile elsewhere, somebody has a copy of it: warn your contacts over another way and make a new profile.
event-needs-newer = { $name } sent something that this version does not understand. Get a newer Beresta.
event-relay-forked = The relay shows you and { $name } different keys. It may be spying on who writes when. The letters stay unreadable to it; consider another relay.
event-not-delivered = No word came that a message to { $name } arrived, and its text has disappeared by the timer. If it matters, ask { $name }, or write it again.
event-invite-names-another = { $name } used an invite of yours that was not made for them, and nothing came of it: you know each other already. If you do not reach each other any more, make one that names them: “beresta invite new --for { $id }”.
event-not-to-be-met = { $name } cannot be reached by the invite that you accepted: it ended before your first letter came. Ask for a new one and accept it with --for { $id }, or make one yourself: “beresta invite new --for { $id }”.
event-lost-each-other = You and { $name } may have lost each other: { $name } cannot be reached any more, and no word came that they know where to write to you now. Their relay may have lost its queues, or they may have removed or blocked you. Ask { $name } another way, and meet again: “beresta invite new --for { $id }”. The safety number stays the same.
event-invite-ended = An invite of yours ended unused.

## Errors

error-usage = This command line was not understood. See --help.
error-unknown = Unknown option or command: { $what }. See --help.
error-unknown-like = Unknown option or command: { $what }. Did you mean { $like }? See --help.
error-missing = Something is missing: { $what }. See --help.
error-value = “{ $what }” does not fit { $option }. See --help.
error-bad-span = This time was not understood. Write it as 30s, 5m, 24h, 7d or 1w; an invite lives from 1h to 7d.
error-no-profile = There is no profile here. Make one by “beresta init”, or name its folder with --dir.
error-profile-exists = There is a profile here already. Use it, or name another folder with --dir.
error-in-use = Another Beresta has this profile open. End it first; two at once would break your conversations.
error-wrong-passphrase = The passphrase is wrong. Check the keyboard layout and Caps Lock and try again; if you use a key file, name it with --key-file.
error-duress-in-the-way = Your duress passphrase was set by an earlier version, and lies where a decoy has its place. Remove it (beresta duress remove), make the decoy, and set it again.
error-decoy-exists = There is a decoy already. Its passphrase is changed by beresta passwd with the decoy open; beresta duress remove decoy removes it.
error-passphrase-taken = This passphrase is in use already, as your own or under duress. Choose another one.
error-store-damaged = The profile's files are damaged. Keep a copy, check the disk, and restore a copy that opens.
error-store-newer = A newer Beresta wrote this profile. Use that version.
error-store-full = The disk is full. Nothing was lost: make room and try again.
error-denied = This profile's files may not be read or written. Check who owns the folder and its rights.
error-backend = This program was built for other processors than the one that made the profile, and would break its conversations. Use the program that you used before, or an official build.
error-store = The profile could not be read or written. Check the disk and the memory, and try again.
error-damaged-link = The link is damaged: letters are missing or changed. Copy it whole and try again.
error-bad-link = This is not such a link. An invite begins with beresta: and a relay's address with beresta-relay:
error-bad-name = This name does not do: it must not be empty, and have at most 64 bytes (32 Cyrillic letters) and no control characters.
error-bad-timer = This timer does not do: from 1s to 4w, or off.
error-not-found = There is no such contact, message or invite. See “beresta contact list” or “beresta invite list”.
error-ambiguous = Several fit: { $names }. Name the id.
error-no-relay = No relay is known yet. Accept an invite first, or name one by “beresta relay set”.
error-unreachable = The relay could not be reached. Check your connection and try again; it may be down, or blocked where you are.
error-not-the-relay = Somebody else answers at the relay's address. Nothing was said to them. If this goes on, ask the relay's operator over another way.
error-stale = The relay's papers are not valid now. By the clock of this device it is { $now } UTC: if that is wrong, set it right; if not, the relay's operator forgot to renew them, so tell them over another way.
error-no-route = This relay is reached in ways that this version does not know. Get a newer Beresta.
error-broke = The line broke before the relay answered. Try again.
error-relay-busy = The relay is full or busy. Try again later.
error-relay-closed = The relay's operator lets nobody new in for now: no new invites and no new contacts. Conversations that are there go on. Try again later, or ask the operator.
error-no-credit = Your relay serves only people who have a code of its operator, and yours is missing, used up or over. Ask them for one, and type: beresta relay credit -. Conversations that are there go on.
error-relay-misbehaved = The relay gave an answer that no honest relay gives. Ask for an invite over another relay.
error-invite-gone = The invite is not there any more: it expired, was taken back, or was used. Ask for a new one.
error-invite-used = SOMEBODY ELSE used this invite before you. Tell who gave it to you, over another way, and ask for a new one.
error-invite-forged = What lies at the relay is not what the invite names. Somebody changed it: do not use it, and ask for a new one over another way.
error-own-invite = This is your own invite. Hand it to somebody else.
error-already-contact = Whoever made this invite is your contact already: { $id }. If you do not reach each other any more, begin anew: accept it with --for { $id }; whoever made it must have named you with --for, or removed you.
error-identity-changed = THE KEY OF THIS CONTACT CHANGED. They may have a new device, or somebody poses as them. Nothing was sent. Compare safety numbers: “beresta verify show”, then “beresta verify confirm”. To write all the same: --send-anyway (in a chat: /anyway).
error-blocked = This contact is blocked for good, or their device was seized. To meet them again, remove them first, then invite them anew.
error-code-differs = THE NUMBERS DIFFER. Read them once more. If they still differ, somebody sits in between: do not write, and meet in person.
error-empty-text = There is nothing to send: the text is empty.
error-text-too-long = The text is too long: at most 13,000 bytes (6,500 Cyrillic letters). Send it in parts.
error-alert-contacts = An alert goes to at least one contact and to 16 at the most. Name fewer by --to.
error-too-many-undelivered = A thousand messages wait undelivered for this contact. More can be sent once they have come back.
error-session = There is no working session with this contact, or they cannot be written to yet. Meet anew: “beresta invite new --for …”.
error-not-destroyed = NOT DESTROYED: the file that opens this profile (vault.hdr) could not be overwritten, and whoever has your passphrase may still open it. Whatever else could be destroyed was. Delete the profile's folder now, best with the disk that it is on; see who owns the folder and whether the disk can be written.
error-destroyed-in-use = The profile is destroyed: nothing opens it any more. But somebody has it open whom nobody can reach from here, on another machine or in a container: that program shows what it has in memory until it ends. End it, and delete what is left of the folder.
error-destroyed-in-part = The profile is destroyed: nothing opens it any more. But some of its files could not be overwritten or deleted. Delete what is left of the folder.
error-no-home = The system names no home folder. Name the profile's folder with --dir.
error-no-terminal = There is no terminal to ask for the passphrase. Run Beresta in one, or use --passphrase-fd.
error-no-descriptor = No passphrase could be read from --passphrase-fd. Give the number of an open descriptor with the passphrase on its first line (for passwd: the old one, then the new one).
error-weak-passphrase = This passphrase would be guessed by who takes your device. Press Enter to have words made for you, or take five or more words that have nothing to do with each other or with you.
error-no-key-file = There is no key file there, or the file is none. Name the file that “beresta passwd --make-key-file” made, or a folder that is there.
error-key-file-exists = There is something in that place already, and nothing is overwritten. Name another place for the key file.
error-key-file-inside = In the folder of the profile a key file would be taken along with it. Name a place on another device.
error-passphrases-differ = The two were not the same. Try again.
error-unconfirmed = Nothing was done: it was not confirmed. Type yes, or use --yes.
error-locked = The profile was locked. Open it again with your passphrase.
error-locked-idle = The profile was locked: nobody touched it. Open it again with your passphrase, or set the time by “beresta lock idle”.
error-locked-slept = The profile was locked: this machine slept. Open it again with your passphrase.
error-locked-session = The profile was locked: your desktop was locked. Open it again with your passphrase.
error-bad-idle = This time does not do: from 1m to 1d, or off.
error-output = What there is to show could not be written to standard output. It stays new.
error-input = What was typed, or read from standard input, is no text in UTF-8, and nothing of it was used. Set your terminal to UTF-8, or convert the file first.
error-line-cut = This line is so long that your terminal may have dropped its end, though it shows all of it: nothing of it was used. Write lines of at most 3,000 bytes (1,500 Cyrillic letters), or send the text from a file: “beresta send NAME < FILE”.
error-internal = Beresta failed inside: a fault of the program, or of the system under it. Try again. If that changes nothing, tell the maintainers what you did; SECURITY.md in the source code says how.

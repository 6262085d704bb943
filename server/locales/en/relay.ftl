about = beresta-relay keeps queues of ciphertext for a limited time and knows nothing else.
about-init = Makes a relay in a folder, or renews its descriptor for 90 days.
about-run = Runs the relay until it is stopped.
about-address = Prints the relay's address, which clients ask for.
about-keys = About the relay's keys.
about-rotate = Makes a new key for links and another that signs epoch keys, both signed by the identity key. In force from the next start; the address stays.
about-config = About the settings in relay.toml.
about-config-check = Says whether the settings are understood, and shows those in force.
about-export = Writes the relay into one file under a passphrase, to run it on another machine. It does not run here any more.
about-import = Makes the relay of an export in a folder. Its address stays.
about-doctor = Looks the relay over and says what to do. Ends with 0 if all is well, 4 if something should be looked at, 5 if something is wrong.
about-take-back = Ends an export that was never imported: the relay may run here again. Only if it runs nowhere else: else two relays have one address.
about-selftest = Uses a relay as people do, from this machine: reaches it, sends a message through it, keeps an invite there, and takes all away again. Needs no relay here: call it where people are. Ends as “doctor” does.
about-status = Says how a relay that runs is, in round numbers.
about-pause = Lets nobody new in: no new queues and invites, until “resume”. Conversations that are there go on.
about-resume = Lets new people in again.
about-drain = Sends everybody away, who come back by themselves, and stops the relay.
about-invite = About codes for people whom the relay serves although it is not open to everybody.
about-invite-create = Makes a code and prints it, to be given to one person.
about-invite-list = Lists the codes that are good, by their ids, with what is left of each.
about-invite-revoke = Takes a code back. What was made with it stays.
about-delete = Deletes one queue with all that waits in it, by the id that somebody told you.
about-repair = Takes over what can be read of damaged queues, while the relay is stopped. Wants as much room on the disk as they take.
about-hold = Counts what the relay holds: for its operator, and for a lawyer.
help-dir = The relay's folder.
help-listen = Where to listen, as IP:PORT.
help-public = Where clients find it, as IP:PORT. Up to four times, best first.
help-operator = Who runs it, as people are to see it. At most 64 bytes.
help-identity = Where the identity key lies, if not in the folder.
help-clock-is-right = Says that the clock is right now, and was ahead when the descriptor that is there was made.
help-qr = Also prints the address as a QR code.
help-json = Prints one JSON object instead of sentences.
help-export-file = The file to write. It must not be there.
help-import-file = The file that “export” wrote.
help-backup = Writes keys, descriptor and settings only, and lets the relay run on: for the case that the machine is lost.
help-via = The relay's address, as “address” prints it and as people have it.
help-code = A code of the relay, where it asks for one: - reads it from standard input. The test uses up two of what it is good for.
help-makes = How many queues and invites the code pays for, from 1 to 1000000; else 500. A person needs one for each contact, and four for each invite, which makes that people need no code of their own.
help-days = For how many days the code is good, from 1 to 3650; else 365.
help-credit = The id of a code, as “invite create” and “invite list” say it; or - to read the code itself from standard input.
help-id = Reads from standard input an id of the queue, for reading or for sending: 48 hex digits or 32 letters.
help-lang = Language of the texts: en or ru.
help-help = Prints this help.
help-version = Prints the version.
value-dir = DIR
value-file = FILE
value-port = PORT
value-name = NAME
value-address = ADDRESS
value-days = DAYS
value-lang = LANG
value-id = ID
heading-usage = Usage:
heading-commands = Commands
heading-options = Options

init-made = A relay was made. Its address, to be handed out:
init-renewed = The descriptor was renewed for 90 days. A relay that runs takes it up within a minute; if keys or settings were changed, restart it: only then they hold. Its address:
init-identity = The identity key is in { $file }. It belongs off this machine: copy it to a safe place, look whether the copy is whole, and where it lay on this machine's disk destroy it by shred -u. “run” does not need it. It is needed every 90 days to renew the descriptor, and whoever has it can pose as this relay.
init-identity-found = The identity key that was found in { $file } signed it.
init-identity-made = There was no identity key at { $file }: this is a NEW relay, with an address that nobody knows. If you meant one that people use, delete that file, and descriptor and relay.id in this folder, and nothing else, and call “init” again with the key of that relay.
init-made-anew = There are no queues in { $dir }: the relay of this identity key was made anew there, and has none. If you meant to renew it, and it lies in another folder or on another machine, don't start this one: two relays with one address lose messages. Delete descriptor and relay.id in { $dir }, and nothing else, and call “init” with the folder of that relay after --dir.
start-program = Start the relay by: beresta-relay run --dir { $dir }
start-service = Start the relay, as root: systemctl enable --now beresta-relay

run-small-buffers = The kernel gave the UDP socket smaller buffers than a busy relay needs; messages may be delayed. As root, so that it lasts: printf '%s\n' net.core.rmem_max=8388608 net.core.wmem_max=8388608 >/etc/sysctl.d/60-beresta-relay.conf && sysctl --system. Then restart the relay: one that runs keeps what it has.
run-queues-gone = The file queues.sqlite was missing or empty, although the relay had queues. It goes on with none: the address stays, and people's programs make other queues by themselves; only two who both read here have to meet again, by an invite. What waited is lost, and there is nothing to bring it back with. If nobody took the file away, the disk may be failing: look at dmesg, and think of moving the relay to another machine.
run-ending-soon = The descriptor ends in less than five weeks. Renew it with the identity key: beresta-relay init --dir { $dir } --identity FILE

config-good = The settings are understood. They hold from the next start:
check-queues = This version can open the queues.
check-queues-older = An earlier version wrote the queues. This one can open them; after that the earlier one can't any more.
queues-gone = The file queues.sqlite is missing or empty, although the relay had queues. If you know where it is, put it back and start the relay: the keys of what waited are in day.keys. If it is lost, destroy these keys, where they are (shred -u { $dir }/day.keys), and start the relay: the address stays, and people's programs make other queues by themselves; only two who both read here have to meet again, by an invite. What waited is lost. The disk may be failing: look at dmesg.
config-listen = listen = "0.0.0.0:443" (an IP address and a port other than 0, in quotes, once)
config-disk-mib = disk_mib = 32768 (MiB, a whole number from 64 to 16777216, once)
config-memory-mib = memory_mib = 1024 (MiB, a whole number from 16 to 1048576, once)
config-links-per-network = links_per_network = 64 (a whole number from 8 to 16384, once)
config-drain-seconds = drain_seconds = 30 (seconds, a whole number from 0 to 600, once)
config-log = log = "info" (or "warn" or "error", in quotes, once)
config-volatile = volatile = false (or true, once)
config-metrics = metrics = "127.0.0.1:9464" (127.0.0.1 or [::1] and a port, in quotes, once)
config-open = open = true (or false, once)

doctor-files = Settings, keys and descriptor fit together.
doctor-folder-readable = Others on this machine may look into the folder. Close it: chmod 700 { $dir }
doctor-file-readable = Others on this machine may read { $file }. Close it: chmod 600 { $dir }/{ $file }
doctor-other-owner = Files in { $dir } belong to another user than the folder does, and the relay may not be able to use them. As root: chown -R --reference={ $dir } { $dir }
doctor-identity-here = The identity key lies on this machine, where whoever takes the machine has it. Copy { $dir }/identity.key to a stick, look whether the copy is whole, and destroy it here: shred -u { $dir }/identity.key
doctor-descriptor = The descriptor is valid for { $days } days more. Renew it before { $date }.
doctor-clock = The clock fits what the relay wrote. Compare it with another one: date -u
doctor-clock-behind = The clock stands before the time at which the relay's own files were written. If it is wrong, set it, or clients will refuse the relay: timedatectl set-ntp true. If it is right now, it was ahead then: call “init” once with --clock-is-right, and restart the relay.
doctor-clock-not-set = The clock was not yet set from the network. Switch that on, or wait: timedatectl set-ntp true
doctor-other-policy = What the relay says of itself does not fit “{ $key }” in relay.toml, so people are told what does not hold. Sign it anew, with the identity key: beresta-relay init --dir { $dir } --identity FILE
outdated = A newer descriptor lies here than the one with which the relay runs. If it was made more than a minute ago, keys or settings were changed: restart the relay, only then they hold.
doctor-running = The relay runs and listens.
doctor-stopped = The relay does not run. If it should, as root: systemctl enable --now beresta-relay. Where that does not help, systemctl status beresta-relay and journalctl -u beresta-relay say why; by hand it is started by: beresta-relay run --dir DIR
doctor-silent = The relay runs, and does not answer. If it was started just now, or an export is under way, look again in some minutes. Else read its log, and restart it: systemctl restart beresta-relay. If it said at its start that its socket could not be made, the path of the folder is too long: move it to where its path is shorter.
doctor-port-free = Its port is free.
doctor-port-taken = Another program has the port. Find it by: ss -ulpn. Stop it, or change “listen” in relay.toml.
doctor-port-not-ours = The address in “listen” of relay.toml is not one of this machine. See: ip address. 0.0.0.0 stands for all.
doctor-port-denied = Whether its port is free can't be told: you may not use one below 1024. The service of the Debian package may; by hand take a higher one.
doctor-only-here = “listen” in relay.toml is { $at }, where only this machine reaches the relay, and people are told another address. If nothing here hands on to it what comes for that, write listen = "{ $all }" and restart the relay.
doctor-other-family = “listen” in relay.toml is { $at }, where only IPv4 reaches the relay, and people are told IPv6 addresses only. If nothing here hands on to it what comes for those, write listen = "{ $all }", which takes both, and restart the relay.
only-inside = People are told { $at }, which leads here only from this machine, or from within its own network or its provider's: nobody outside reaches the relay by it. Take the address by which the network outside sees this machine (behind a router that is the router's, which has to hand the port on), and sign it, with any others that hold, with the identity key: beresta-relay init --dir { $dir } --public IP:PORT --identity FILE. If the relay is only for people who are inside, too, leave it so.
doctor-buffers = The kernel gives the UDP buffers that a busy relay needs.
doctor-disk = { $free } MiB are free for the queues, and everything is taken in. Nobody new is let in once { $new } MiB are left (80 % of the disk, as far as it counts, is full), long messages are refused at { $large } MiB (85 %), all messages at { $all } MiB (95 %).
doctor-step-no-new = The disk is 80 % full, as far as it counts; { $free } MiB are free. No new queues and invites are made; all conversations go on. Make room: from { $again } MiB on everything is taken in again.
doctor-step-no-large = The disk is 85 % full, as far as it counts; { $free } MiB are free. No new queues and invites are made, and long messages are refused for now: their senders try again by themselves. Make room: from { $again } MiB on everything is taken in again.
doctor-step-nothing = The disk is 95 % full, as far as it counts; { $free } MiB are free. No messages are taken in; people only read and delete, and senders try again by themselves. Make room now: from { $again } MiB on everything is taken in again.
doctor-cap-no-new = 80 % of “disk_mib” are used. No new queues and invites are made; all conversations go on. If the disk has room, raise “disk_mib” in relay.toml and start the relay again; else it ends when people have read.
doctor-cap-nothing = All of “disk_mib” is used. No messages are taken in; people only read and delete, and senders try again by themselves. If the disk has room, raise “disk_mib” in relay.toml and start the relay again.
doctor-writes-elsewhere = The file system of { $dir } does not write in place, but each change elsewhere or twice (btrfs, ZFS, ext4 with data=journal). Keys of days that are over can be found on it for a while after the relay overwrote them. Move the relay to ext4, as it is mounted unless somebody says otherwise, or to xfs: “export” and “import”. With volatile = true in relay.toml the keys of what waits are never on a disk.
doctor-memory-small = The settings allow more memory for connections than this machine has to give; under a flood the system may end the relay. Delete the line memory_mib from relay.toml, or set less, and start the relay again.
doctor-disk-small = The disk has less room than the settings allow. Write into relay.toml: disk_mib = { $mib }
doctor-disk-tiny = The disk of the folder is too small for a relay, or others fill it: { $mib } MiB at the least have to be free for its queues. Make room, or move the relay to a larger disk: “export” and “import”.
doctor-read-only = Nothing can be written to the disk of the folder. The system does that when a disk fails: dmesg and journalctl -k say so. A move by “export” can't work there; “export --backup” to another disk can. While the folder can be read, as root, stop the relay for good (systemctl disable --now beresta-relay) and copy all of it to a good disk: cp -a DIR OTHER. Take the old disk out, mount the good one in its place, and only then start the relay again: two relays with one address would lose messages.
doctor-disk-full = The disk is full. Make room: nothing new is taken in until then.

selftest-answers = Route { $at }
selftest-is-the-one = Identity, description and key of the day
selftest-queue = Making a queue
selftest-message = Sending and receiving a message
selftest-invite = Keeping an invite and handing it out
selftest-leaves = Taking all away again
selftest-took = { $what }: works ({ $ms } ms).
selftest-clock = The relay's clock and this machine's differ by { $minutes } minutes. Set the one that is wrong: timedatectl set-ntp true
selftest-no-route = the address names no way to it that this version knows. Take a newer version.
selftest-unreachable = nobody answers. Does the relay run? If so, its port is closed on the way (UDP): the provider's firewall, the router, “ufw status”. Or this network lets no QUIC through: try from another.
selftest-other-relay = another relay answers, or somebody in between. Compare the address with what “address” prints on the relay's machine; if that is the same, this way leads to another relay: name this one's own there by “init” with --public.
selftest-stale = its descriptor is not valid now. Renew it there by “init”, or set the clock that is wrong: date -u
selftest-no-key = it hands out no key of today. Look at its clock and its log.
selftest-closed = it lets nobody new in. Undo it there by: beresta-relay resume --dir DIR
selftest-asks-credit = it answers, and serves only people who have a code of its operator. More can't be tried without one: make one there by “invite create” and call this with --code -
selftest-bad-credit = it answers, and does not take the code: it is used up, over or was taken back. Make another one there: beresta-relay invite create --dir DIR
selftest-busy = it is full, or has too much to do. Look there: beresta-relay status --dir DIR
selftest-ended = the line broke. Try again; if it stays so, look at the relay's log.
selftest-silent = no answer came. The line is bad, or the relay has too much to do. Try again; if it stays so, look there: beresta-relay status --dir DIR
selftest-wrong = it answered what no relay of this version answers. Is it an older or a newer one? Compare there and here: beresta-relay --version

ask-new-passphrase = New passphrase for the file, at least 16 characters, 8 different ones among them: {""}
ask-again = Once more: {""}
ask-passphrase = Passphrase of the file: {""}
exported = The relay is in { $file } and does not run here any more. On the other machine: beresta-relay import --dir DIR --file FILE. Once it runs there, as the user to whom the folder belongs destroy the keys and the file on this machine, not on the other, and delete the folder: test -e { $dir }/moved && ! grep -q begun { $dir }/moved && shred -u { $dir }/*.key { $dir }/*.keys { $file }
exported-volatile = This relay is volatile: messages and invites that waited did not move. They were gone when it stopped.
backed-up = The relay's keys are in { $file }. Make a new one whenever you renewed the descriptor or rotated keys, and destroy this one then: shred -u. Queues, what waits in them and your codes are not in it.
imported = The relay is in { $dir }. Its address:
imported-backup = This was a backup. If keys were rotated or the descriptor was renewed after it was made, people's programs take this relay for somebody else's. So give it new keys first, with the identity key: beresta-relay keys rotate --dir { $dir } --identity FILE

repair-begins = Reading what can be read; with many queues that takes minutes. Until it is done nothing is changed, and it can be broken off.
repair-none = There are no queues here that could be damaged: start the relay, and it makes them.
repair-whole = All of it could be read, and goes on: { $queues } queues, and { $messages } messages that wait.
repair-lost = What could be read goes on: { $queues } queues, and { $messages } messages that wait. The rest is lost; people's programs make other queues by themselves, but two who both lost theirs have to meet again, by an invite. What waited is said again where that is so, or its senders are told after 21 days that no word of it came. The disk may be failing: look at dmesg, and think of moving the relay to another machine.
taken-back = The relay may run here again. Make sure first that it can't start anywhere else, or two have its address: on the other machine systemctl disable --now beresta-relay, destroy the file, and delete the folder. Then start it here.
taken-back-half = The relay may run here again. Its export had not come to its end: destroy what that left of the file, wherever it is (shred -u FILE), and never import it, or two relays have one address. Then start it here.
not-exported = This relay was not exported to run elsewhere. Nothing has changed.
keys-rotated = New keys and a new descriptor are there. Restart the relay now: people who connected to it after that refuse whoever has the old ones. Then make a new backup, and destroy those before it: they have the old ones.
paused = Nobody new is let in from now on, also after a restart. Undo it by: beresta-relay resume --dir DIR
resumed = New people are let in again.
draining = Everybody is being sent away; then the relay stops. Waiting for that…
still-draining = It has not stopped yet. Look by: beresta-relay status --dir DIR
drained = The relay has stopped.
deleted = The queue is gone, with all that waited in it. Its reader learns that, and may make another one.
invite-made = A code for one person. Queues and invites it is good for: { $makes }; days: { $days }. Give it to them by a way that nobody else reads; they type “beresta relay credit -” and paste it. Its id, to take it back: { $id }
invite-unsure = There may be a code now that nobody has seen. Take it back once the relay answers: beresta-relay invite revoke --dir { $dir } { $id }
invite-taken-back = The code was taken back: nobody has seen it.
invite-open = The relay is open: it asks nobody for a code. Write open = false into relay.toml, sign that with the identity key (beresta-relay init --dir DIR --identity FILE), and start the relay again.
invite-none = There are no codes.
invite-one = { $id }: { $left } left, { $days } days
invite-revoked = The code is good for nothing any more. Who used it keeps what they have.
status-running = beresta-relay { $version } has been running for { $hours } hours.
status-links = Connections: { $count }
status-disk = Of the disk that it may use: { $percent } %
status-descriptor = Days until the descriptor ends: { $days }
status-no-new = The disk, or what it may use of it, is 80 % full: nobody new is let in. Which, and what to do, says: beresta-relay doctor --dir DIR
status-no-large = The disk is 85 % full: nobody new is let in, and long messages are refused for now. Make room.
status-nothing = The disk is 95 % full, or all that it may use is used: no messages are taken in, and people only read and delete. Which, and what to do, says: beresta-relay doctor --dir DIR
status-paused = Nobody new is let in. Undo it by: beresta-relay resume --dir DIR

hold-queues = Queues: { $count }
hold-messages = Messages waiting: { $count }
hold-tombstones = Ids of messages that are gone, as keyed hashes: { $count }
hold-blobs = Sealed invites: { $count }
hold-credits = Codes of yours, as keyed hashes: { $count }
hold-handed-credits = Codes that came with invites, as keyed hashes: { $count }
hold-bytes = Bytes used: { $count }
hold-first-end = The waiting message that ends first ends within the hour that begins at { $hour } (UTC).
hold-nothing-waits = No message waits.
hold-keys = The relay's keys in this folder: { $files }. Who has them can pose as this relay until its descriptor ends (with identity.key for ever, from any machine), and take the outer seal off what waits.
hold-each = Beyond these numbers the files tell, of each queue: how many messages wait and how many it ever had, the sizes (of three), order and end of those that wait, whether it was full lately, on which of the last days, up to 78 hours back, messages were fetched, and in which stretch of 30 days it was last read. Of each code: what is left of it and its last day. Of each invite: its last day, and whether it was claimed.
hold-explain = Messages are ciphertext whose keys this relay never had. It keeps no addresses of people, no names, no accounts and no log of who connected. Ids of queues are kept as keyed hashes.

error-usage = { $program }: this command line was not understood. See --help.
error-no-command = Say what to do, as “run” or “doctor”. See --help.
error-no-subcommand = “{ $what }” is not the whole command. Type: { $usage }
error-unknown = Unknown option or command: { $what }. See --help.
error-option-first = { $what } stands before the command, or belongs to none. First comes the command and then its options, as: beresta-relay run --dir DIR. See --help.
error-option-between = { $what } stands within the command. It comes at its end: { $usage }
error-twice = { $what } stands there twice. Leave one of the two.
error-missing = Something is missing: { $what }. See --help.
error-missing-of = Something is missing: { $what }. It is typed so: { $usage }
error-missing-id = The end of the command is missing: -, which says that the id of the queue comes on standard input. Type this, press Enter, and paste the id: beresta-relay delete-queue --dir DIR -
error-value = “{ $what }” does not fit { $option }. See --help.
error-internal = The relay failed inside: a fault of the program, or of the system under it. Try again. If that changes nothing, tell the maintainers what you did; SECURITY.md in the source code says how.
error-no-address = To renew a relay that was made already, name its folder after --dir. For a new one say where to listen and where clients find it: --listen IP:PORT --public IP:PORT (--public up to four times)
error-many-routes = People are told four addresses at the most. Leave the four --public that are best for them. Nothing has changed.
error-bad-public = Nobody can reach a relay at { $at }. --public is the address of this machine as the network outside sees it, with the port: 203.0.113.5:443, say.
error-no-port = With port 0 the relay would listen at another port after each start, where nobody finds it. Name one: --listen 0.0.0.0:443, say.
error-long-name = The operator's name is too long: at most 64 bytes.
error-no-identity = The identity key is not there. Say where it lies: --identity FILE
error-not-an-identity = This file is no identity key. Say where it lies: --identity FILE
error-identity-not-written = The identity key can't be written there: the place is not this user's, or its disk is full or can only be read. No relay was made. Name another: --identity FILE
error-half-rotated = New keys were being taken up, and that was cut short. Any command of the folder's owner finishes it: runuser -u "$(stat -c %U DIR)" -- beresta-relay address --dir DIR
error-clock-behind = The clock stands before the time at which the descriptor that is there was made. If the clock is wrong, set it: timedatectl set-ntp true. If it is right now, it was ahead then: call “init” once with --clock-is-right.
error-identity-denied = The identity key can't be read by this user. As root give them a copy, and destroy it afterwards: install -o USER -m 600 FILE /run/relay.key
error-other-identity = This file is not the identity key of the relay in this folder: it is another relay's, or no identity key at all. The relay's address begins with { $address }. If that is the one you mean, say where its identity key lies: --identity FILE. Else name the folder of the other one after --dir.
error-other-file = This file is a relay's { $file }, and no identity key: whoever has { $file } could pose as a relay that is signed by it. Say where the identity key lies: --identity FILE
error-was-relay = There was a relay in this folder. Its address begins with { $address }, and its identity key was not given. With its identity key what is missing is made anew, and address and queues stay: add --identity FILE. For a new relay name an empty folder.
error-was-another = There was a relay in this folder whose address begins with { $address }, and this identity key makes one whose address begins with { $given }. If people have the first, say where its identity key lies: --identity FILE. If people have the second, relay.id is damaged or another relay's: move relay.id out of the folder, and call “init” once more. For a new relay name an empty folder.
error-was-some-relay = There was a relay in this folder; what is left does not tell which one. With its identity key what is missing is made anew, and address and queues stay: add --identity FILE. For a new relay name an empty folder.
error-no-relay = If you mean a relay that was made already, name its folder after --dir. A new one is made by: beresta-relay init --dir DIR --listen IP:PORT --public IP:PORT
error-folder-missing = The folder { $dir } is not there.
error-folder-empty = The folder { $dir } is empty: there is no relay in it.
error-folder-other = There is no relay in the folder { $dir }.
error-relay-gone = If one was here, only its descriptor is missing: with its identity key that is made anew, and address and queues stay: beresta-relay init --dir { $dir } --listen IP:PORT --public IP:PORT --identity FILE.
error-half-imported = An import into this folder was cut short, and what is here is no whole relay. Import once more: what was left is removed by that. beresta-relay import --dir DIR --file FILE
error-ended = The relay's descriptor is not valid now, and clients would refuse it. Look at the clock: date -u. If that is right, renew it with the identity key: beresta-relay init --dir DIR --identity FILE
error-config-value = Line { $line } of relay.toml does not fit. It is written so: { $form }
error-config-unknown = Line { $line } of relay.toml is not a setting. There are: { $keys }. Correct it or delete it; a setting is written as name = value.
error-config-missing = A line is missing in relay.toml: { $form }
error-missing-file = The file { $file } is missing from the relay's folder. Put a copy of it back.
error-missing-config = relay.toml is missing from the relay's folder. Make it anew: address and queues stay, and whether the relay is volatile and open, as it was last signed; other settings are lost. beresta-relay init --dir DIR --listen IP:PORT --identity FILE
error-exists-file = The file { $file } exists already and is not replaced.
error-damaged-file = The file { $file } is damaged. Put a copy of it in its place.
error-remake-descriptor = The file descriptor is damaged. The relay is not lost: address and queues stay. Move descriptor out of the folder, and make it anew with the identity key from your stick, and the addresses and the name as before: beresta-relay init --dir DIR --listen IP:PORT --public IP:PORT --operator NAME --identity FILE
error-remake-id = The file relay.id is missing, damaged or another relay's; the descriptor beside it is whole. The relay is not lost: address and queues stay. Make relay.id anew with the identity key from your stick: beresta-relay init --dir DIR --identity FILE
error-remake-file = The file { $file } is missing or damaged. The relay is not lost: address and queues stay. Move { $file } and descriptor out of the folder, and make them anew with the identity key from your stick, and the addresses and the name as before: beresta-relay init --dir DIR --listen IP:PORT --public IP:PORT --operator NAME --identity FILE
error-damaged-config = relay.toml is not text in UTF-8. Save it so in your editor: a comment may be in another encoding.
error-long-config = relay.toml is longer than 64 KiB, which no settings are. If another file came into its place, put the right one back; else shorten it.
error-linked-config = relay.toml is a link to another file. Write this line there yourself, in place of its “listen”, and call the command again: listen = "{ $at }"
error-file = A file in the relay's folder could not be read or written. Check who owns the folder, and whether the disk is full.
error-bind = The relay can't listen there: the address is taken, not this machine's, or not allowed. Check “listen” in relay.toml. Which of these it is says: beresta-relay doctor --dir DIR
error-socket = The socket for your commands could not be made: the path of the folder may be too long. The relay runs, but “status” and the like don't reach it. Stop it, move the folder to where its path is shorter, and start it there.
error-metrics = The address in “metrics” of relay.toml can't be had: another program has the port, or the service may not use it (see the operators' guide). The relay runs, but its numbers can't be read.
error-busy = Another command is at work in this folder. Wait until it has ended, and call this one again.
error-not-running = No relay runs in this folder. What to do about that says: beresta-relay doctor --dir DIR
error-foreign-folder = Others may use this folder, and it holds other files than a relay's. Choose another for --dir: one that is not there yet will be made.
error-denied = You may not use this folder: it, or the relay in it, belongs to somebody else. Call the command as that user, or choose another --dir. If the folder is yours, a file in it is not; as root: chown -R --reference=DIR DIR
error-no-answer = The relay did not answer in time. It may have done it all the same: look before you ask again, by beresta-relay status --dir DIR; for codes by beresta-relay invite list --dir DIR, and take back one that nobody has seen. If it never answers, it hangs; as a service: systemctl restart beresta-relay
error-refused = The relay did not do it. See what it wrote into its log, as a service: journalctl -u beresta-relay
error-bad-address = This is no address of a relay. It begins with “beresta-relay:”; print it by: beresta-relay address --dir DIR
error-bad-id = This is no id of a queue: 48 hex digits or 32 letters.
error-id-in-sight = The id of a queue does not belong on the command line, where other users of this machine see it and the shell keeps it. Write - in its place, press Enter, and paste it: beresta-relay delete-queue --dir DIR -
error-nothing-typed = - stands for a line of standard input, and nothing came there. Call the command again, paste the line, and press Enter; from a file it comes by: <FILE
error-bad-credit = This is no code and no id of one. An id has 16 hex digits; a code begins with “beresta-credit:”.
error-credit-in-sight = A code does not belong on the command line, where other users of this machine see it and the shell keeps it. Write --code - and paste it. If others may have seen it, take it back on the relay's machine: beresta-relay invite revoke --dir DIR ID
error-other-credit-to-try = This is a code of another relay. It was not shown to this one. Take a code of the relay that --via names.
error-other-credit-to-revoke = This is a code of another relay, and good there as before. Take it back on that relay's machine: beresta-relay invite revoke --dir DIR -
error-no-credit = There is no such code: it was taken back, or is over.
error-no-room = The disk has no room for that. Make some and try again: df -h shows what fills it, beresta-relay doctor --dir DIR what is taken in.
error-many-credits = There are 1024 codes, as many as there can be. Take back some that nobody uses; the first command lists them, the second takes one back: beresta-relay invite list --dir DIR; beresta-relay invite revoke --dir DIR ID
error-no-queue = There is no queue with this id here.
error-moved = This relay was exported to run elsewhere: start, renew and repair it there. Two relays with one address would lose messages and alarm everybody. If the export was never imported, take it back: beresta-relay take-back --dir DIR
error-half-moved = An export of this relay was begun and did not come to its end: it was cut short, or is under way still. Nobody was told of a whole file. If it is not under way: destroy what it left of the file, wherever that is (shred -u FILE), and never import it. Then export again (beresta-relay export --dir DIR --file FILE), or let the relay run here (beresta-relay take-back --dir DIR).
error-running = The relay runs. Stop it first: beresta-relay drain --dir DIR
error-of-another = The relay's folder belongs to another user, who could not read what root writes there. Call the command as that user: runuser -u "$(stat -c %U { $dir })" -- beresta-relay …
error-output = What was to be printed could not be written. Is the disk full?
error-exists = The file is there already and is not replaced. Name another: --file FILE. Delete this one only if you know that it is not your last good backup; one that was cut short is half of one.
error-exists-half = The file is there already and is not replaced. An export of this relay was cut short: if it was into this file, this is half of one. Destroy it then, and export again: shred -u FILE. If it is anything else, a backup say, name another: --file FILE
error-exists-exported = The file is there already and is not replaced. This relay was exported before: if it was into this file, that may be whole, and is what to import on the other machine. “import” finds out there; don't delete it before. For another export name another file: --file FILE
error-file-is-folder = What --file names is a folder. Name a file in it, as: --file FOLDER/relay.moving
error-no-folder = The folder in which the file would be is not there. Make it, or name another place: --file FILE
error-occupied = There is a relay in this folder, or a part of one. Import into an empty folder.
error-export-file = The file could not be written there: its disk can only be read, or fails; dmesg says which. Name a place on another disk: --file FILE
error-export-denied = This user may not write the file there. The service's user writes into the relay's folder, /tmp and /var/tmp only. Name a place there: --file /var/tmp/relay.moving, say
error-export-full = The disk on which the file was to be is full, or takes no file so large (4 GiB on a stick with FAT), and nothing of it was left there. Make room on it, or name a place on another disk: --file FILE
error-export-unsure = The file was written, but whether it lasts could not be made sure of, nor could it be removed: its disk may be failing, look at dmesg. It may be whole, and so the relay does not run here. Destroy the file, or the disk with it, and never import it. Then export onto another disk (beresta-relay export --dir DIR --file FILE), or let the relay run here (beresta-relay take-back --dir DIR).
error-export-left = The file could not be written for good, and it could not be removed: half of it lies there, or all of it. Its disk may be failing: look at dmesg. Take another disk, and destroy this file, which may hold the relay's keys: shred -u FILE
error-no-file = There is no such file. See where it lies and how it is called, and name it with its folder: --file FILE
error-import-denied = This user may not read the file, or may not look into its folder. As root bring it to where they may, and make it theirs; for the service: install -o beresta-relay -m 600 FILE /var/tmp/relay.moving
error-import-file = The file could not be read to its end: its disk or stick may be failing, dmesg says so. Copy it again from where it was made, to another disk.
error-target-denied = This user may not make a relay in this folder. Name one of theirs by --dir, or call the command as the user to whom it belongs; for the service as root: runuser -u beresta-relay -- beresta-relay import --dir /var/lib/beresta-relay --file FILE
error-target-full = The disk of the relay's folder is full, or takes no file so large, and nothing of the relay was left there. It takes about as much as the file; df -h shows what is free. Make room, or name a folder on another disk: --dir DIR
error-target = The relay could not be written into this folder: its disk can only be read, or fails; dmesg says which. Name a folder on another disk: --dir DIR
error-not-an-export = This file is not an export of a relay, or one of a later version.
error-wrong-passphrase = The passphrase does not open the file. Type it once more. If it is right, the file was changed: copy it again from where it was made.
error-export-damaged = The file is damaged or ends too early. Copy it again.
error-out-of-memory = There are not 64 MiB of memory free for the passphrase. End what the machine does not need, and try again.
error-no-passphrase = No passphrase was given: type it in a terminal, or give it as a line of standard input.
error-short-passphrase = The passphrase is too easily guessed: it needs at least 16 characters, and 8 different ones among them. Take five words that nobody would put together.
error-long-passphrase = A passphrase on standard input has at most 4,095 bytes. Take a shorter one.
error-passphrases-differ = The two passphrases differ. Nothing was written.
error-queues = The queues can't be opened. Files in the folder may belong to another user (as root: chown -R --reference=DIR DIR), or the disk is full. If the file is damaged, repair takes over what can be read of it: beresta-relay repair --dir DIR
error-beyond-repair = Nothing can be read of the queues, and nothing was changed. The relay can begin with none: move day.keys, and queues.sqlite with all files whose names begin so, out of the folder, and start it. The address stays, and people's programs make other queues by themselves; only two who both read here have to meet again, by an invite. What waited is lost. Once nobody is to look into the old files any more, destroy the keys first (shred -u day.keys). The disk may be failing.
error-queues-newer = A newer version wrote the queues, and a relay never goes back to an older one. Install the newer one again.
error-day-keys = day.keys is missing, damaged or another relay's, and what waits here can't be opened without it. Put the right one back. If there is no other than the one that lies here, try first what goes on with what its keys open: beresta-relay repair --dir DIR. If that does not help, or there is none any more: start once with volatile = true in relay.toml, then set volatile back to false and start again. The queues stay, and what waited is lost.
error-queue-key = queue.key is missing, damaged or another relay's, and without the right one the relay finds none of its queues. Put back the one that belongs to them: from a copy, or out of a backup by “import” into another folder. If there is none any more, move queue.key, day.keys, and queues.sqlite with all files whose names begin so, out of the folder, and call, with the identity key: beresta-relay init --dir DIR --identity FILE. The address stays, and people's programs make other queues by themselves; only two who both read here have to meet again, by an invite. What waited is lost. Once nobody is to look into the old files any more, destroy the keys first (shred -u day.keys queue.key).

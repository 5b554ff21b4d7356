//! Wireshark's dissector as an oracle: a recorded session that touches every function has no malformed frame.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use bytes::{Bytes, BytesMut};
use s7_wire::transfer::{FUNCTION_DOWNLOAD_BLOCK, FUNCTION_DOWNLOAD_ENDED, encode_done, encode_part};
use s7_wire::userdata::szl::{self, SzlRequest};
use s7_wire::userdata::{blocks, clock, security};
use s7_wire::{
    Area, BlockName, BlockType, Connection, ConnectionType, Control, Decoder, FileSystem, Group, Item,
    Message, Pdu, Setup, TransferJob, TransportSize, Tsap, Userdata, WriteItem, encode_read_request,
    encode_write_request,
};

use super::Test;
use super::program::{Sim, output};

const TSHARK: &str = "/usr/bin/tshark";
/// What Wireshark says of frames that it cannot read, or that contradict themselves.
const WRONG: &str = "_ws.malformed || _ws.short || _ws.expert.severity == error || tcp.analysis.flags";

pub const NO_MALFORMED_FRAME: Test =
    Test { name: "tshark::finds_no_malformed_frame", needs: &[TSHARK], run: check };

fn check() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (file, config) = (folder.path().join("session.pcap"), folder.path().join("plc.json"));
    std::fs::write(&config, r#"{"protection": {"password": "secret"}}"#)
        .map_err(|error| error.to_string())?;
    let mut sim = Sim::start(&["--config", &config.to_string_lossy(), "--record", &file.to_string_lossy()])?;
    let touched = everything(sim.port).map_err(|error| format!("the session: {error}"))?;
    sim.terminate()?;
    let tshark = |arguments: &[&str]| output(Command::new(TSHARK).arg("-r").arg(&file).args(arguments));
    // A frame may hold several PDUs; each has one kind.
    let kinds = tshark(&["-T", "fields", "-e", "s7comm.header.rosctr"])?;
    let seen = kinds.split([',', '\n']).filter(|kind| !kind.is_empty()).count();
    let wrong = tshark(&["-Y", WRONG])?;
    if seen != touched {
        return Err(format!("tshark sees {seen} S7 PDUs, {touched} were sent and received"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("tshark complains of:\n{wrong}")) }
}

/// A connection that is set up, and how many S7 PDUs went over it.
struct Session {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    packets: usize,
}

/// Uses every function there is, right and wrong; how many S7 PDUs that took.
fn everything(port: u16) -> std::io::Result<usize> {
    let mut session = Session::connect(port)?;
    session.variables()?;
    session.services()?;
    session.transfers()?;
    for control in
        [Control::Stop, Control::Stop, Control::ColdStart, Control::Compress, Control::CopyRamToRom]
    {
        session.ask(|out| control.encode(out, 90))?;
    }
    Ok(session.packets)
}

impl Session {
    fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let mut session = Self { stream, decoder: Decoder::new(), input: BytesMut::new(), packets: 0 };
        session.send(|out| {
            Connection::request(Tsap::two(1, 0), Tsap::s7(ConnectionType::Pg, 0, 1)).encode_request(out)
        })?;
        session.message()?;
        session.packets = 0; // CR and CC are no S7
        let wish = Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 };
        session.ask(|out| wish.encode_request(out, 1))?;
        Ok(session)
    }

    fn variables(&mut self) -> std::io::Result<()> {
        let timer = Item { transport: TransportSize::Timer, count: 1, db: 0, area: Area::Timers, address: 3 };
        let counter = Item { transport: TransportSize::Counter, area: Area::Counters, ..timer };
        let items = [
            Item::db_bytes(2, 0, 3),
            Item::bit(Area::Merkers, 0, 10, 2),
            Item::bytes(Area::Inputs, 0, 0, 4),
            Item::bytes(Area::Outputs, 0, 0, 2),
            Item { transport: TransportSize::Real, count: 2, ..Item::db_bytes(2, 8, 1) },
            timer,
            counter,
            Item::db_bytes(77, 0, 1),
            Item::db_bytes(2, 9999, 1),
        ];
        self.ask(|out| encode_read_request(out, 2, &items).expect("few items"))?;
        let writes = [
            WriteItem::new(Item::db_bytes(2, 0, 3), &[1, 2, 3]),
            WriteItem::new(Item::bit(Area::Merkers, 0, 10, 2), &[1]),
            WriteItem::new(Item::db_bytes(77, 0, 1), &[1]),
        ];
        self.ask(|out| encode_write_request(out, 3, &writes).expect("few items"))?;
        self.ask(|out| encode_read_request(out, 4, &[Item::db_bytes(2, 0, 900)]).expect("one item"))?;
        Ok(())
    }

    fn services(&mut self) -> std::io::Result<()> {
        for (id, index) in [(0, 0), (0x11, 0), (0x1c, 0), (0x131, 1), (0x232, 4), (0x424, 0), (0x7777, 0)] {
            self.service(Group::Cpu, szl::READ, SzlRequest { id, index }.encode())?;
        }
        self.service(Group::Blocks, blocks::COUNT, Bytes::new())?;
        self.service(Group::Blocks, blocks::LIST, blocks::encode_list_request(BlockType::Db))?;
        for number in [2, 77] {
            self.service(Group::Blocks, blocks::INFO, blocks::encode_info_request(data_block(number)))?;
        }
        self.service(Group::Clock, clock::READ, Bytes::new())?;
        let leap_day = Bytes::from_static(&[0, 0x20, 0x24, 0x02, 0x29, 0x13, 0x37, 0x59, 0x00, 0x05]);
        self.service(Group::Clock, clock::SET, leap_day)?;
        let password = security::encode_password("secret").map(|wire| Bytes::copy_from_slice(&wire));
        self.service(Group::Security, security::SET, password.unwrap_or_default())?;
        self.service(Group::Security, security::CLEAR, Bytes::new())
    }

    fn service(&mut self, group: Group, subfunction: u8, payload: Bytes) -> std::io::Result<()> {
        let request = Userdata::request(group, subfunction, payload);
        self.ask(|out| request.encode(out, 50).expect("a short request")).map(|_| ())
    }

    fn transfers(&mut self) -> std::io::Result<()> {
        let started = self.ask(|out| TransferJob::StartUpload { block: data_block(2) }.encode(out, 60))?;
        let id = u32::from(started.parameter[7]);
        while self.ask(|out| TransferJob::Upload { id }.encode(out, 61))?.parameter[1] != 0 {}
        self.ask(|out| TransferJob::EndUpload { id }.encode(out, 62))?;
        let passive = BlockName { file_system: FileSystem::Passive, ..data_block(50) };
        self.ask(|out| TransferJob::RequestDownload { block: passive, load_bytes: 8 }.encode(out, 63))?;
        let asked = self.pdu()?;
        self.send(|out| {
            encode_part(out, asked.reference, FUNCTION_DOWNLOAD_BLOCK, &[7; 8], false).expect("eight bytes")
        })?;
        let ended = self.pdu()?;
        self.send(|out| encode_done(out, ended.reference, FUNCTION_DOWNLOAD_ENDED))?;
        self.ask(|out| Control::Insert(vec![passive]).encode(out, 64))?;
        self.ask(|out| Control::Delete(vec![passive]).encode(out, 65)).map(|_| ())
    }

    fn ask(&mut self, encode: impl FnOnce(&mut BytesMut)) -> std::io::Result<Pdu> {
        self.send(encode)?;
        self.pdu()
    }

    fn send(&mut self, encode: impl FnOnce(&mut BytesMut)) -> std::io::Result<()> {
        let mut out = BytesMut::new();
        encode(&mut out);
        self.packets += 1;
        self.stream.write_all(&out)
    }

    fn pdu(&mut self) -> std::io::Result<Pdu> {
        self.packets += 1;
        match self.message()? {
            Message::Pdu(pdu) => Ok(pdu),
            other => Err(std::io::Error::other(format!("expected an answer, found {other:?}"))),
        }
    }

    fn message(&mut self) -> std::io::Result<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.input).map_err(std::io::Error::other)? {
                return Ok(message);
            }
            let mut some = [0; 4096];
            match self.stream.read(&mut some)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                bytes => self.input.extend_from_slice(&some[..bytes]),
            }
        }
    }
}

fn data_block(number: u32) -> BlockName {
    BlockName { kind: BlockType::Db, number, file_system: FileSystem::Active }
}

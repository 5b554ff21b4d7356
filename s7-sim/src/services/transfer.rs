//! Upload and download of data blocks. In a download it is the PLC that asks; the client answers.

use bytes::{Bytes, BytesMut};
use s7_wire::block::ImageHeader;
use s7_wire::transfer::{
    FUNCTION_DOWNLOAD_BLOCK, FUNCTION_DOWNLOAD_ENDED, FUNCTION_END_UPLOAD, FUNCTION_REQUEST_DOWNLOAD,
    FUNCTION_UPLOAD, PART_OVERHEAD_BYTES, decode_part, encode_done, encode_download_job, encode_part,
    encode_upload_started,
};
use s7_wire::{BlockName, BlockType, Control, ErrorWord, Pdu, TransferJob, control as wire};

use super::{Deed, Desk, control};
use crate::config::DATA_BLOCK_BYTES_MAX;
use crate::identity::Service;
use crate::plc::Plc;

/// The longest image that can be downloaded.
const IMAGE_BYTES_MAX: usize = ImageHeader::BYTES + DATA_BLOCK_BYTES_MAX;

/// An upload under way: one a session.
pub(super) struct Upload {
    id: u32,
    rest: Bytes,
}

/// A download under way: one a session.
pub(super) struct Download {
    block: BlockName,
    load_bytes: usize,
    image: BytesMut,
    /// Of the PLC's own job that waits for its answer.
    reference: u16,
    asked: u8,
}

impl Desk {
    /// Answers a job of control.
    pub(crate) fn control(
        &self,
        plc: &Plc,
        pdu: &Pdu,
        job: &Control,
        out: &mut BytesMut,
    ) -> Result<(), ErrorWord> {
        self.permit(plc, Service::Control, Deed::Write)?;
        let status = control::serve(plc, job)?;
        wire::encode_control_answer(out, pdu.reference, job.function(), status);
        Ok(())
    }

    /// Answers a job of transfer.
    pub(crate) fn transfer(
        &mut self,
        plc: &Plc,
        pdu: &Pdu,
        job: &TransferJob,
        pdu_length: usize,
        out: &mut BytesMut,
    ) -> Result<(), ErrorWord> {
        match *job {
            TransferJob::StartUpload { block } => {
                self.permit(plc, Service::Transfer, Deed::Read)?;
                let image = image(plc, block).ok_or(ErrorWord::BLOCK_NOT_FOUND)?;
                let id = self.upload.take().map_or(1, |before| before.id.wrapping_add(1));
                encode_upload_started(out, pdu.reference, id, image.len() as u32);
                self.upload = Some(Upload { id, rest: image });
            }
            TransferJob::Upload { id } => {
                let upload =
                    self.upload.as_mut().filter(|upload| upload.id == id).ok_or(ErrorWord::PDU_LENGTH)?;
                let part = upload.rest.split_to(upload.rest.len().min(pdu_length - PART_OVERHEAD_BYTES));
                let more = !upload.rest.is_empty();
                encode_part(out, pdu.reference, FUNCTION_UPLOAD, &part, more)
                    .expect("a part fits the negotiated PDU, which fits a packet");
            }
            TransferJob::EndUpload { id } => {
                self.upload.take_if(|upload| upload.id == id).ok_or(ErrorWord::PDU_LENGTH)?;
                encode_done(out, pdu.reference, FUNCTION_END_UPLOAD);
            }
            TransferJob::RequestDownload { block, load_bytes } => {
                self.permit(plc, Service::Transfer, Deed::Write)?;
                self.download = Some(Download::begin(block, load_bytes as usize, pdu.reference)?);
                encode_done(out, pdu.reference, FUNCTION_REQUEST_DOWNLOAD);
                self.ask(FUNCTION_DOWNLOAD_BLOCK, out);
            }
        }
        Ok(())
    }

    /// Takes the client's answer to the PLC's own job; `false` when nothing was asked, or it is no answer to that.
    pub(crate) fn take_answer(&mut self, plc: &Plc, pdu: &Pdu, out: &mut BytesMut) -> bool {
        let Some(download) = &mut self.download else { return false };
        if download.reference != pdu.reference || pdu.function() != Some(download.asked) {
            return false;
        }
        if pdu.error.is_error() {
            // The client gave up; what has come so far is nothing.
            self.download = None;
            return true;
        }
        match download.asked {
            FUNCTION_DOWNLOAD_BLOCK => self.take_part(pdu, out),
            _ => self.store(plc),
        }
    }

    fn take_part(&mut self, pdu: &Pdu, out: &mut BytesMut) -> bool {
        let Some(download) = &mut self.download else { return false };
        let Some(part) = decode_part(pdu, FUNCTION_DOWNLOAD_BLOCK) else { return false };
        if download.image.len() + part.bytes.len() > download.load_bytes {
            return false;
        }
        download.image.extend_from_slice(&part.bytes);
        self.ask(if part.more { FUNCTION_DOWNLOAD_BLOCK } else { FUNCTION_DOWNLOAD_ENDED }, out);
        true
    }

    /// Keeps a whole image as a passive block; `_INSE` links it in.
    fn store(&mut self, plc: &Plc) -> bool {
        let Some(Download { block, image, .. }) = self.download.take() else { return false };
        // Tools send an image with its header or the bare body.
        let body =
            if ImageHeader::decode(&image).is_some() { &image[ImageHeader::BYTES..] } else { &image[..] };
        u16::try_from(block.number).is_ok_and(|number| plc.memory().load_block(number, body))
    }

    fn ask(&mut self, function: u8, out: &mut BytesMut) {
        let Some(download) = &mut self.download else { return };
        download.reference = download.reference.wrapping_add(1);
        download.asked = function;
        encode_download_job(out, download.reference, function, download.block);
    }

    fn permit(&self, plc: &Plc, service: Service, deed: Deed) -> Result<(), ErrorWord> {
        if !plc.config().services.contains(&service) {
            return Err(ErrorWord::FUNCTION_UNAVAILABLE);
        }
        if self.may(plc, deed) { Ok(()) } else { Err(ErrorWord::PASSWORD_NEEDED) }
    }
}

impl Download {
    fn begin(block: BlockName, load_bytes: usize, reference: u16) -> Result<Self, ErrorWord> {
        let fits = block.kind == BlockType::Db && (1..=IMAGE_BYTES_MAX).contains(&load_bytes);
        let download = Self { block, load_bytes, image: BytesMut::new(), reference, asked: 0 };
        if fits { Ok(download) } else { Err(ErrorWord::CLOCK_VALUE) }
    }
}

/// The image of a data block: header and actual values.
fn image(plc: &Plc, block: BlockName) -> Option<Bytes> {
    let number = u16::try_from(block.number).ok()?;
    let memory = plc.memory();
    let body = memory.data_block(number).filter(|_| block.kind == BlockType::Db)?;
    let load_bytes = ImageHeader::BYTES + body.len();
    let mut image = BytesMut::with_capacity(load_bytes);
    let body_bytes = u16::try_from(body.len()).unwrap_or(u16::MAX);
    ImageHeader { kind: block.kind, number, body_bytes, load_bytes: load_bytes as u32 }.encode(&mut image);
    image.extend_from_slice(body);
    Some(image.freeze())
}

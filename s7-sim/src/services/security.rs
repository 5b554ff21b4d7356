//! The session's password.

use bytes::Bytes;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::security::{CLEAR, SET, encode_password};

use super::{NOTHING_TO_CLEAR, NOTHING_TO_GIVE, PASSWORD_WRONG, UNAVAILABLE, Word};
use crate::plc::Plc;

pub(super) fn serve(plc: &Plc, request: &Userdata, unlocked: &mut bool) -> Result<Bytes, Word> {
    let password = plc.config().protection.password.as_deref();
    match request.subfunction {
        SET => {
            let expected = encode_password(password.ok_or(NOTHING_TO_GIVE)?);
            if expected.is_none_or(|expected| request.payload != expected[..]) {
                return Err(PASSWORD_WRONG);
            }
            *unlocked = true;
        }
        CLEAR => {
            password.ok_or(NOTHING_TO_CLEAR)?;
            *unlocked = false;
        }
        _ => return Err(UNAVAILABLE),
    }
    Ok(Bytes::new())
}

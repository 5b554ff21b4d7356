//! The session's password.

use bytes::Bytes;
use s7_wire::ErrorWord;
use s7_wire::userdata::Userdata;
use s7_wire::userdata::security::{CLEAR, SET, encode_password};

use crate::plc::Plc;

pub(super) fn serve(plc: &Plc, request: &Userdata, unlocked: &mut bool) -> Result<Bytes, ErrorWord> {
    let password = plc.config().protection.password.as_deref();
    match request.subfunction {
        SET => {
            let expected = encode_password(password.ok_or(ErrorWord::PASSWORD_MISSING)?);
            if expected.is_none_or(|expected| request.payload != expected[..]) {
                return Err(ErrorWord::PASSWORD_WRONG);
            }
            *unlocked = true;
        }
        CLEAR => {
            password.ok_or(ErrorWord::PASSWORD_NOT_NEEDED)?;
            *unlocked = false;
        }
        _ => return Err(ErrorWord::FUNCTION_UNAVAILABLE),
    }
    Ok(Bytes::new())
}

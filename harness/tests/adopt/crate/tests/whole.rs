//! A program that looks at itself at its end. What it leaves open is on the list; the thread, where it is asked for, is not.

watertight::probe!();

fn main() {
    std::mem::forget(std::fs::File::open("/dev/zero").unwrap());
    if std::env::var_os("LEAVE_A_THREAD").is_some() {
        std::thread::spawn(|| std::thread::park());
    }
    watertight::verify_none();
}

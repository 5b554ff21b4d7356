//! One macro: enums over one wire byte that keep what they do not know, so that decoding never loses a value.

macro_rules! byte_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $byte:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
            /// A byte this crate has no name for, kept as it came.
            Other(u8),
        }

        impl $name {
            /// Every named value, in the order of the specification.
            pub const NAMED: &[Self] = &[$(Self::$variant,)*];

            /// Names `byte`; what has no name becomes `Other`.
            pub const fn from_byte(byte: u8) -> Self {
                match byte {
                    $($byte => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The byte on the wire.
            pub const fn byte(self) -> u8 {
                match self {
                    $(Self::$variant => $byte,)*
                    Self::Other(byte) => byte,
                }
            }
        }
    };
}

pub(crate) use byte_enum;

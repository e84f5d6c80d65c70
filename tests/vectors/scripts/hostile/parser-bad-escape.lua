-- expect: malformed
return "\u{110000000000}"

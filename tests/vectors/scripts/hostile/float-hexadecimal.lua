-- expect: malformed
return 0x1p4

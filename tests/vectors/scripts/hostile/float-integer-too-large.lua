-- expect: malformed
return 9223372036854775808

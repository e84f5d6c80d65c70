-- expect: malformed
return 1e3

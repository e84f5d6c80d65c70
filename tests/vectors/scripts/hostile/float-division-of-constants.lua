-- expect: malformed
return 1 / 2

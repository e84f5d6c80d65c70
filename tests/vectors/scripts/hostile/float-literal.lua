-- expect: malformed
return 1.5

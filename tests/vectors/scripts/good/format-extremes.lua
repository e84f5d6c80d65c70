-- expect: returns -9223372036854775808 ffffffffffffffff
return ("%d %x"):format(math.mininteger, -1)

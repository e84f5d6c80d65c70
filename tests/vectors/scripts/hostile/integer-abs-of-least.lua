-- expect: fails
return math.abs(math.mininteger)

-- expect: fails
return ("%999999999d"):format(1)

-- expect: fails
return ("%a"):format(1)

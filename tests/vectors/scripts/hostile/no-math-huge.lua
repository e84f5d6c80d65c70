-- expect: fails
return "x" .. math.huge

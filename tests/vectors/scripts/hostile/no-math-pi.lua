-- expect: fails
return "x" .. math.pi

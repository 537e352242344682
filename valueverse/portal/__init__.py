"""The customer portal: pages for people at customers, over the same services as every other face."""
